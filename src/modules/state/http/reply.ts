import { hashOf, type StoredObject, toWire } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ObjectPage } from '../object-store.js';
import { projectMany, projectOne, type Projection } from './projection.js';
import { isKnown, wantsRepresentation } from './request.js';

/** The header that holds the token of the next page. */
const CONTINUE_HEADER = 'x-continue';

/**
 * The entity tag of what GET shows, without quotes. The version counts the user's half only; what is shown has a status
 * as well, and a client that asks "has it changed?" must see that one change. A write reads up to the dot.
 */
function entityTagOf(object: StoredObject): string {
  const shown = Object.keys(object.status).length > 0;
  return shown ? `${object.version}.${hashOf(object.status).slice(0, 16)}` : object.version;
}

/** Answers with an object; 304 when the client has it. */
export function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  object: StoredObject,
  projection: Projection,
): FastifyReply {
  const tag = entityTagOf(object);
  void reply.header('etag', `"${tag}"`);
  if (isKnown(request, tag)) return reply.status(304).send();
  const { contentType, text } = projectOne(toWire(object), projection);
  return reply.status(200).header('content-type', contentType).send(text);
}

/** Answers with a whole object that was just changed. */
export function sendChanged(reply: FastifyReply, object: StoredObject): FastifyReply {
  void reply.header('etag', `"${entityTagOf(object)}"`);
  return sendJson(reply, toWire(object));
}

/** Answers with a bare list; where it goes on is in the headers `X-Continue` and `Link`. */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  page: ObjectPage,
  projection: Projection,
): FastifyReply {
  if (page.next !== undefined) {
    void reply.header(CONTINUE_HEADER, page.next);
    void reply.header('link', `<${nextUrl(request.url, page.next)}>; rel="next"`);
  }
  const { contentType, text } = projectMany(page.items.map(toWire), projection);
  return reply.status(200).header('content-type', contentType).send(text);
}

function nextUrl(url: string, token: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('continue', token);
  return `${path}?${parameters.toString()}`;
}

/** Answers a write: empty, unless the client prefers the object or it was a trial. */
export function sendWritten(
  request: FastifyRequest,
  reply: FastifyReply,
  object: StoredObject,
  dryRun: boolean,
): FastifyReply {
  const preferred = wantsRepresentation(request);
  if (preferred) void reply.header('preference-applied', 'return=representation');
  if (!dryRun) void reply.header('etag', `"${object.version}"`);
  if (!preferred && !dryRun) return reply.status(200).send();
  return sendJson(reply, toWire(object));
}

export function sendJson(reply: FastifyReply, value: object): FastifyReply {
  return reply
    .status(200)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(value));
}
