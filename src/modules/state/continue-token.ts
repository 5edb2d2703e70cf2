import { createHash } from 'node:crypto';
import { canonicalJson, InvalidInputError, isPlainObject } from '@symphony/model';
import type { ListQuery } from './object-store.js';

/** The last object of a page; the next page begins behind it, wherever objects were added meanwhile. */
export interface ObjectPosition {
  namespace: string;
  name: string;
}

/** A token is only good for the query that it came from. */
export function encodeToken(query: ListQuery, position: ObjectPosition): string {
  const content = { q: fingerprint(query), ns: position.namespace, n: position.name };
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

/** @throws InvalidInputError `InvalidContinue` when it is no token, or that of another query */
export function decodeToken(query: ListQuery): ObjectPosition | undefined {
  if (query.continue === undefined) return undefined;
  const content = parsed(query.continue);
  if (!isPlainObject(content) || typeof content['ns'] !== 'string' || typeof content['n'] !== 'string') {
    throw refusal('is not one that this engine gave out; begin again without it');
  }
  if (content['q'] !== fingerprint(query)) {
    throw refusal('belongs to another query; continue with the same kind, namespace and selectors');
  }
  return { namespace: content['ns'], name: content['n'] };
}

function parsed(token: string): unknown {
  try {
    const text = Buffer.from(token, 'base64url').toString('utf8');
    // A database takes no NUL, which a forged token could hold.
    return text.includes('\\u0000') ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** The page size may change from page to page. */
function fingerprint({ kind, namespace, labels = [], fields = [] }: ListQuery): string {
  const text = canonicalJson({ kind, namespace, labels, fields });
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}

function refusal(message: string): InvalidInputError {
  return new InvalidInputError(
    `The continue token ${message}.`,
    [{ path: 'continue', message }],
    'InvalidContinue',
  );
}
