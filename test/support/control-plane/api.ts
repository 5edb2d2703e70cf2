import { Agent, request, type Dispatcher } from 'undici';
import type { KubernetesConnection } from './connection.js';

const REQUEST_MS = 30_000;
const UNTIL_MS = 30_000;

/** As much of an object as all kinds share. */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    deletionTimestamp?: string;
    finalizers?: string[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubernetesObject;
}

/** An answer from 400 on. */
export class KubernetesApiError extends Error {
  constructor(
    readonly status: number,
    /** `NotFound`, `Invalid`, `Conflict`, ... */
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * The REST API as one user, in raw JSON. It is the tests' own on purpose: what the product's client gets wrong must not
 * be hidden by a test that uses the same one.
 */
export class KubernetesApi {
  readonly #agent: Agent;

  constructor(readonly connection: KubernetesConnection) {
    const { ca, user } = connection;
    this.#agent = new Agent({ connect: { ca, cert: user.certificate, key: user.key } });
  }

  /**
   * @param path from `/` on, with its query
   * @param contentType of a PATCH: `application/merge-patch+json` when left out
   * @throws KubernetesApiError
   */
  async call<T = KubernetesObject>(
    method: Method,
    path: string,
    body?: unknown,
    contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
  ): Promise<T> {
    const answer = await this.#send(method, path, AbortSignal.timeout(REQUEST_MS), body, contentType);
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw apiError(method, path, answer.statusCode, text);
    return (answer.headers['content-type']?.includes('json') ? JSON.parse(text) : text) as T;
  }

  /**
   * The events of a list from `resourceVersion` on, until the server ends the watch (which is normal) or `signal` does.
   * @param path of the list, its query may hold selectors
   */
  async *watch(path: string, resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const url = `${path}${path.includes('?') ? '&' : '?'}watch=true&resourceVersion=${resourceVersion}`;
    const answer = await this.#send('GET', url, signal);
    if (answer.statusCode >= 400) throw apiError('GET', url, answer.statusCode, await answer.body.text());
    let rest = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as WatchEvent;
    }
  }

  /**
   * Waits until an object is as wished, by a watch.
   * @param path of the object
   * @param holds gets undefined when there is no such object
   * @returns what `holds` accepted
   * @throws Error with the object as it is when `timeoutMs` have passed
   */
  async until(
    path: string,
    holds: (object: KubernetesObject | undefined) => boolean,
    timeoutMs = UNTIL_MS,
  ): Promise<KubernetesObject | undefined> {
    const signal = AbortSignal.timeout(timeoutMs);
    const cut = path.lastIndexOf('/');
    const list = `${path.slice(0, cut)}?fieldSelector=metadata.name%3D${path.slice(cut + 1)}`;
    let seen: KubernetesObject | undefined;
    try {
      for (;;) {
        const { items, metadata } = await this.call<{
          items: KubernetesObject[];
          metadata: { resourceVersion: string };
        }>('GET', list);
        seen = items[0];
        if (holds(seen)) return seen;
        for await (const { type, object } of this.watch(list, metadata.resourceVersion, signal)) {
          if (type === 'ERROR') break;
          seen = type === 'DELETED' ? undefined : object;
          if (holds(seen)) return seen;
        }
        signal.throwIfAborted();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      const now = seen ? JSON.stringify(seen) : 'not there';
      throw new Error(`after ${timeoutMs} ms, ${path} is ${now}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #send(
    method: Method,
    path: string,
    signal: AbortSignal,
    body?: unknown,
    contentType?: string,
  ): Promise<Dispatcher.ResponseData> {
    const { server, user } = this.connection;
    return request(`${server}${path}`, {
      dispatcher: this.#agent,
      method,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        accept: 'application/json',
        ...(user.token ? { authorization: `Bearer ${user.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

function apiError(method: Method, path: string, status: number, text: string): KubernetesApiError {
  let reason = '';
  let message = text;
  try {
    ({ reason = '', message = text } = JSON.parse(text) as { reason?: string; message?: string });
  } catch {
    // Not a Status object: what came is the message.
  }
  return new KubernetesApiError(status, reason, `${method} ${path} answered ${status}: ${message}`);
}
