import { isDeepStrictEqual } from 'node:util';
import { request, type Dispatcher } from 'undici';
import { SymphonyError } from '@symphony/model';
import { ApiUnavailableError, errorOf, unreachable, type KubeStatus } from './api-errors.js';
import type { ClusterAccess } from './cluster-access.js';
import { Connections, type Channel, type Connection } from './connections.js';
import { orAborted } from './deadline.js';

type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** One request as the API server's audit log would name it; told when its answer has begun, or when there will be none. */
export interface RequestRecord {
  verb: Verb;
  /** Plural, with the subresource: `leases`, `targets/status`. */
  resource: string;
  namespace: string | undefined;
  /** HTTP status; undefined when there was no answer. */
  status: number | undefined;
  milliseconds: number;
}

export interface Outgoing {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  path: string;
  contentType?: string;
  body?: unknown;
  channel: Channel;
  record: Pick<RequestRecord, 'verb' | 'resource' | 'namespace'>;
}

export interface TransportOptions {
  access: ClusterAccess;
  userAgent: string;
  sockets: number;
  /** Called for every attempt. What it throws is lost. */
  onRequest?: ((record: RequestRecord) => void) | undefined;
}

/**
 * Single requests: one attempt each, ended by their signal. Answers of 400 and above, and no answer, become errors of the
 * model. Credentials that the server refuses are got anew, once, and the request is sent again: it was not carried out.
 */
export class Transport {
  readonly #connections: Connections;
  readonly #base: string;

  constructor(private readonly options: TransportOptions) {
    const { access, sockets } = options;
    this.#connections = new Connections(access, sockets);
    this.#base = access.server.href.replace(/\/$/, '');
  }

  /** @throws SymphonyError, or the signal's reason */
  async text(outgoing: Outgoing, signal: AbortSignal): Promise<string> {
    const { body } = await this.open(outgoing, signal);
    return this.#guard(body.text(), outgoing, signal);
  }

  /** The answer with its body still to be read, which fails when the signal aborts. */
  async open(outgoing: Outgoing, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const connect = (): Promise<Connection> =>
      this.#guard(this.#connections.open(outgoing.channel), outgoing, signal);
    const connection = await connect();
    const answer = await this.#attempt(connection, outgoing, signal);
    if (answer.statusCode !== 401) return this.#accepted(answer, outgoing, signal);
    this.options.access.refused();
    const fresh = await connect();
    if (isDeepStrictEqual(fresh.credentials, connection.credentials)) {
      return this.#accepted(answer, outgoing, signal);
    }
    await this.#guard(answer.body.dump(), outgoing, signal);
    return this.#accepted(await this.#attempt(fresh, outgoing, signal), outgoing, signal);
  }

  /** The error for a body that broke off. */
  broken(cause: unknown, outgoing: Outgoing): SymphonyError {
    return unreachable(cause, whatOf(outgoing), this.#base);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #attempt(
    { dispatcher, credentials }: Connection,
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { method, path, contentType, body: content } = outgoing;
    const began = performance.now();
    let status: number | undefined;
    const sent = request(`${this.#base}${path}`, {
      dispatcher,
      method,
      headers: {
        ...credentials.headers,
        accept: 'application/json',
        'user-agent': this.options.userAgent,
        ...(content === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      body: content === undefined ? null : JSON.stringify(content),
      signal,
    });
    // An answer that comes after the signal has nobody who would hear that it broke off.
    sent.then(({ body }) => body.on('error', () => undefined)).catch(() => undefined);
    try {
      const answer = await this.#guard(sent, outgoing, signal);
      status = answer.statusCode;
      return answer;
    } finally {
      this.#tell({ ...outgoing.record, status, milliseconds: performance.now() - began });
    }
  }

  async #accepted(
    answer: Dispatcher.ResponseData,
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { statusCode, headers, body } = answer;
    if (statusCode < 300) return answer;
    const status = statusIn(await this.#guard(body.text(), outgoing, signal));
    const retryAfterMs = retryAfterOf(headers, status);
    throw errorOf({
      httpStatus: statusCode,
      status,
      what: whatOf(outgoing),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  /** undici does not heed a signal while it connects, hence the race. */
  async #guard<T>(work: Promise<T>, outgoing: Outgoing, signal: AbortSignal): Promise<T> {
    try {
      return await orAborted(work, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw error instanceof SymphonyError ? error : this.broken(error, outgoing);
    }
  }

  #tell(record: RequestRecord): void {
    try {
      this.options.onRequest?.(record);
    } catch {
      // A counter that fails must not fail the request.
    }
  }
}

/** For messages: never a name, a query or a body. */
export function whatOf({ record }: Outgoing): string {
  return `${record.verb} ${record.resource}`;
}

/** The attempt took too long. What it did is unknown, but for reads. */
export function tooSlow(outgoing: Outgoing, ms: number): ApiUnavailableError {
  return new ApiUnavailableError(
    `The API server did not answer within ${ms / 1000} s (${whatOf(outgoing)}); the engine goes on trying.`,
    'KubernetesUnreachable',
    'unknown',
  );
}

function statusIn(text: string): KubeStatus | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const status = value as { kind?: unknown } & KubeStatus;
    return typeof value === 'object' && value !== null && status.kind === 'Status' ? status : undefined;
  } catch {
    return undefined;
  }
}

function retryAfterOf(
  headers: Dispatcher.ResponseData['headers'],
  status: KubeStatus | undefined,
): number | undefined {
  const header = headers['retry-after'];
  // Kubernetes sends seconds, never a date.
  const seconds = typeof header === 'string' ? Number(header) : status?.details?.retryAfterSeconds;
  return seconds !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
