import type { FastifyReply, FastifyRequest } from 'fastify';

/** What our routes read, and what they answer with, beside the headers that every page may see. */
const REQUEST_HEADERS =
  'authorization, content-type, if-match, last-event-id, traceparent, x-activity-correlationid';
const RESPONSE_HEADERS = 'etag, retry-after, x-activity-correlationid, x-continue, x-request-id';
const PREFLIGHT_SECONDS = '600';

/**
 * Lets pages of listed origins call us. Each is named back to its own pages only, never as `*`, and credentials that a
 * browser adds by itself are never allowed: we know tokens alone.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Adds the headers to whatever is answered. @returns true when it was the browser's own question, and is answered */
  apply(request: FastifyRequest, reply: FastifyReply, methodsOfPath: () => string[]): boolean {
    if (this.#origins.size === 0) return false;
    // Also where it does not match: a cache must not give the answer for one origin to another.
    reply.header('vary', 'Origin');
    const { origin, 'access-control-request-method': asked } = request.headers;
    if (origin === undefined || !this.#origins.has(origin)) return false;
    reply.header('access-control-allow-origin', origin);
    if (request.method !== 'OPTIONS' || asked === undefined) {
      reply.header('access-control-expose-headers', RESPONSE_HEADERS);
      return false;
    }
    const methods = methodsOfPath();
    if (methods.length === 0) return false;
    void reply
      .status(204)
      .header('access-control-allow-methods', methods.join(', '))
      .header('access-control-allow-headers', REQUEST_HEADERS)
      .header('access-control-max-age', PREFLIGHT_SECONDS)
      .send();
    return true;
  }
}
