import { DEFAULT_NAMESPACE, InvalidInputError, type ObjectKind } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import type { ListQuery, ObjectKey, Precondition } from '../object-store.js';
import type { WriteOptions } from '../object.service.js';
import { parseFieldSelector, parseLabelSelector } from '../selectors.js';
import type { Projection } from './projection.js';

/** The query of a request: the last of a repeated name counts, every value is text. */
export type Query = Readonly<Record<string, string | undefined>>;

const MAX_LIMIT = 1000;

/** The object that a read or a DELETE is for: namespace from the query, else `default`. */
export function keyOf<K extends ObjectKind>(kind: K, name: string, query: Query): ObjectKey<K> {
  return { kind, namespace: query['namespace'] || DEFAULT_NAMESPACE, name };
}

/** @throws InvalidInputError naming the parameter */
export function listQueryOf<K extends ObjectKind>(kind: K, query: Query): ListQuery & { kind: K } {
  const labels = query['label-selector'] ?? query['labelSelector'];
  const fields = query['field-selector'] ?? query['fieldSelector'];
  return {
    kind,
    ...(query['namespace'] ? { namespace: query['namespace'] } : {}),
    ...(labels ? { labels: parseLabelSelector(labels) } : {}),
    ...(fields ? { fields: parseFieldSelector(fields) } : {}),
    ...(query['limit'] ? { limit: limitOf(query['limit']) } : {}),
    ...(query['continue'] ? { continue: query['continue'] } : {}),
  };
}

function limitOf(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw wrongQuery('limit', `must be a whole number from 1 to ${MAX_LIMIT}`);
}

export function projectionOf(query: Query): Projection {
  return { path: query['path'], docType: query['doc-type'] };
}

export function writeOptionsOf(request: FastifyRequest, query: Query): WriteOptions {
  const actor = request.user?.name;
  return {
    precondition: preconditionOf(request),
    dryRun: flagOf(query, 'dryRun', ['true', 'all']),
    ...(actor === undefined ? {} : { actor }),
  };
}

/** @throws InvalidInputError when the value is neither yes nor no */
export function flagOf(query: Query, name: string, yes: readonly string[] = ['true']): boolean {
  const value = (query[name] ?? '').toLowerCase();
  if (yes.includes(value)) return true;
  if (value === '' || value === 'false') return false;
  throw wrongQuery(name, 'must be true or false');
}

/** @throws InvalidInputError for a header that is none, or that a write cannot honour */
function preconditionOf(request: FastifyRequest): Precondition {
  const ifMatch = request.headers['if-match'];
  const ifNoneMatch = request.headers['if-none-match'];
  const precondition: Precondition = {};
  if (ifMatch !== undefined) {
    precondition.ifMatch =
      ifMatch.trim() === '*' ? '*' : tagsOf(ifMatch, 'If-Match').map((tag) => versionOf(tag));
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') {
      throw wrongHeader('If-None-Match', 'of a write may only be *: "create, do not replace"');
    }
    precondition.mustNotExist = true;
  }
  return precondition;
}

/** Whether the client has this representation already. */
export function isKnown(request: FastifyRequest, entityTag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  return header.trim() === '*' || tagsOf(header, 'If-None-Match').includes(entityTag);
}

/** Entity tags without quotes. Weak ones count as strong: proxies that compress weaken what is the same object. */
function tagsOf(header: string, name: string): string[] {
  const tags = header.split(',').map((part) => part.trim());
  return tags.map((tag) => {
    const text = /^(?:W\/)?"([^"]*)"$/.exec(tag)?.[1] ?? (/^[\w.-]+$/.test(tag) ? tag : undefined);
    if (text === undefined)
      throw wrongHeader(name, 'must be * or versions in quotes, as the ETag header has them');
    return text;
  });
}

/** The tag of GET says more than the version (see `entityTagOf`); a write is about the version. */
function versionOf(entityTag: string): string {
  return entityTag.split('.', 1)[0] ?? '';
}

/** Whether `Prefer` asks for the object in the answer of a write. */
export function wantsRepresentation(request: FastifyRequest): boolean {
  const header = request.headers['prefer'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return /(^|[,;]\s*)return\s*=\s*"?representation"?\s*($|[,;])/i.test(text);
}

export function wrongQuery(name: string, message: string): InvalidInputError {
  return new InvalidInputError(`The query parameter ${name} ${message}.`, [{ path: name, message }]);
}

function wrongHeader(name: string, message: string): InvalidInputError {
  return new InvalidInputError(
    `The header ${name} ${message}.`,
    [{ path: name, message }],
    'InvalidPrecondition',
  );
}
