import { ApiUnavailableError, errorOf, type KubeStatus } from './api-errors.js';
import type { KubeObject, WatchEvent } from './kube-object.js';

/** Far above the largest object that etcd takes; a broken proxy must not fill the memory. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines of a body, decoded whole so that a character across two chunks stays one. A last line without its end is half
 * an event, and is left out.
 */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, end));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      from = end + 1;
      if (line !== '') yield line;
    }
    const rest = chunk.subarray(from);
    size += rest.length;
    if (size > MAX_LINE_BYTES) throw new Error(`an event is larger than ${MAX_LINE_BYTES} bytes`);
    if (rest.length > 0) parts.push(rest);
  }
}

/**
 * One line of a watch.
 * @throws the error that an `ERROR` event stands for (ExpiredError for 410); ApiUnavailableError for what is no event
 */
export function eventOf<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  const { type, object } = parse(line, what);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (object?.metadata?.resourceVersion) return { type, object: object as T };
      break;
    case 'BOOKMARK':
      if (object?.metadata?.resourceVersion) {
        return { type, resourceVersion: object.metadata.resourceVersion };
      }
      break;
    case 'ERROR': {
      const status = (object ?? {}) as KubeStatus;
      throw errorOf({ httpStatus: status.code ?? 500, status, what });
    }
  }
  throw noEvent(what);
}

interface RawEvent {
  type?: string;
  object?: Partial<KubeObject> & KubeStatus;
}

function parse(line: string, what: string): RawEvent {
  try {
    return (JSON.parse(line) ?? {}) as RawEvent;
  } catch {
    throw noEvent(what);
  }
}

function noEvent(what: string): ApiUnavailableError {
  return new ApiUnavailableError(
    `The API server sent something that is no event (${what}): look at the proxies in between.`,
    'KubernetesUnavailable',
    'none',
  );
}
