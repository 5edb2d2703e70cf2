import { AccessError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';

/** One header of Node's holds at most 16 KiB; our tokens have some 400 characters, those of others a few thousand. */
const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,8192}) *$/i;

/**
 * The token that a request brings.
 * @param advice completes "A token is needed: …"
 * @throws AccessError (401) `TokenMissing`
 */
export function bearerTokenOf({ headers }: Pick<FastifyRequest, 'headers'>, advice: string): string {
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token !== undefined) return token;
  throw new AccessError(401, `A token is needed: ${advice}`, 'TokenMissing');
}
