import { checkNamespace, DEFAULT_NAMESPACE, InvalidInputError } from '@symphony/model';

/** Every value is text; the last of a repeated name counts. */
export type Query = Readonly<Record<string, string | undefined>>;

/** @throws InvalidInputError that names the parameter and what would be right */
export function wrongQuery(name: string, message: string): InvalidInputError {
  return new InvalidInputError(`The query parameter ${name} ${message}.`, [{ path: name, message }]);
}

/** The namespace of the query, else `default`. */
export function namespaceOf(query: Query): string {
  const namespace = query['namespace'] || DEFAULT_NAMESPACE;
  checkNamespace(namespace, 'namespace');
  return namespace;
}

export function flagOf(query: Query, name: string): boolean {
  const value = (query[name] ?? '').toLowerCase();
  if (value === 'true') return true;
  if (value === '' || value === 'false') return false;
  throw wrongQuery(name, 'must be true or false');
}

/** One of the words, whatever its case; undefined when it is not given. */
export function wordOf<W extends string>(query: Query, name: string, words: readonly W[]): W | undefined {
  const value = query[name];
  if (!value) return undefined;
  const found = words.find((word) => word.toLowerCase() === value.toLowerCase());
  if (found === undefined) throw wrongQuery(name, `must be one of ${words.join(', ')}`);
  return found;
}

export function limitOf(query: Query, fallback: number, max: number): number {
  const text = query['limit'];
  if (!text) return fallback;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= max) return limit;
  throw wrongQuery('limit', `must be a whole number from 1 to ${max}`);
}
