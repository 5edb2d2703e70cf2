import { AccessError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { decideAccess, type Role } from './access-policy.js';

/** Who makes a request. */
export interface Principal {
  name: string;
  roles: readonly Role[];
  /** This very request was allowed with all that it asks for, by somebody else's rules than roles. */
  cleared?: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access guard on every route that needs a token. */
    user?: Principal;
  }
}

/**
 * Who makes this request.
 * @throws AccessError (401) on a public route, where nobody is known
 */
export function principalOf(request: Pick<FastifyRequest, 'user'>): Principal {
  if (!request.user) throw new AccessError(401, 'This needs a token: log in with POST /v1alpha2/users/auth.');
  return request.user;
}

/**
 * Refuses whoever has not this role, for the few things that one route offers to some of its callers only.
 * @param what completes "… needs the role <role>", for example `orphan=true`
 * @throws AccessError (403, or 401 when nobody is known)
 */
export function requireRole(request: Pick<FastifyRequest, 'user'>, role: Role, what: string): void {
  const { name, roles, cleared } = principalOf(request);
  if (cleared) return;
  if (!roles.includes(role))
    throw new AccessError(403, `${what} needs the role ${role}, which "${name}" does not have.`);
}

/**
 * Refuses whoever may not call another route, for a route that can do the same in its own way.
 * @param segments of that other route, as `decideAccess` takes them
 * @throws AccessError (403, or 401 when nobody is known)
 */
export function requireRoute(
  request: Pick<FastifyRequest, 'user'>,
  method: string,
  segments: readonly string[],
): void {
  const { name, roles, cleared } = principalOf(request);
  if (cleared) return;
  const { allowed, enough } = decideAccess(roles, method, segments);
  if (allowed) return;
  throw new AccessError(
    403,
    `This does what ${method} /${segments.join('/')} does, which "${name}" (${roles.join(', ')}) may not; ${enough.join(' or ')} may.`,
  );
}
