import { InvalidInputError, SymphonyError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';

/**
 * Refuses what the router lets through but no handler could use.
 * @throws InvalidInputError (400) that names what is wrong.
 */
export function checkRequest(request: FastifyRequest): void {
  const { url = '', headers, httpVersion } = request.raw;
  if (httpVersion === '1.1' && !headers.host) throw new InvalidInputError('The request has no Host header.');
  if (/[^\x21-\x7e]/.test(url)) throw badUrl('The URL holds characters that must be percent-encoded.');
  const query = queryOf(url);
  if (query !== '' && hasUnfitEscape(query)) throw badUrl('The query holds an escape that is no UTF-8 text.');
  for (const [name, value] of Object.entries((request.params ?? {}) as Record<string, unknown>)) {
    if (typeof value === 'string' && value.includes('\0'))
      throw badUrl(`"${name}" in the path holds a NUL character.`);
  }
}

/** The error for a path that the router itself cannot decode. */
export function badUrl(message: string): SymphonyError {
  return new InvalidInputError(message, [{ path: '', message }], 'InvalidUrl');
}

/** The URL without its query, and what a fragment would be. */
export function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? '';
}

function queryOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

function hasUnfitEscape(query: string): boolean {
  try {
    return decodeURIComponent(query).includes('\0');
  } catch {
    return true;
  }
}

/**
 * Reads a query string: every value is a text, the last of a repeated name counts (as in Symphony), `+` is a blank.
 * Lenient: {@link checkRequest} refuses what cannot be decoded before any handler sees it.
 */
export function parseQuery(text: string): Record<string, string> {
  const query = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(text)) query[name] = value;
  return query;
}
