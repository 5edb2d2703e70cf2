import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request, type Dispatcher } from 'undici';
import { messageOf } from '@symphony/model';
import { abortError, ProviderConfigError, ProviderError } from '@symphony/provider-kit';
import type { Endpoint } from '../config.js';

/** The newest version of the engine's API that this code was written for. */
const NEWEST_API = '1.47';
const CONNECT_MS = 10_000;
/** Far above any answer; a broken or hostile engine must not fill the memory. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** The engine answered that it will not, or cannot. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly status: number,
    /** The engine's own words: to be redacted. */
    message: string,
  ) {
    super(message);
  }
}

export interface EngineRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the version. */
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  json?: unknown;
  body?: Dispatcher.DispatchOptions['body'];
  headers?: Record<string, string>;
  signal: AbortSignal;
}

export interface EngineAnswer {
  status: number;
  text: string;
  /** By the clock of the engine, in milliseconds; undefined when it does not say. */
  at: number | undefined;
}

/**
 * HTTP to one engine, over its socket or TCP, in the newest version of the API that both know. Nothing here has a
 * deadline of its own but connecting: each request ends by its signal.
 */
export class EngineConnection {
  readonly #origin: string;
  #agent: Promise<Agent> | undefined;
  #version: string | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    /** For messages. */
    private readonly host: string,
  ) {
    this.#origin =
      endpoint.kind === 'unix'
        ? 'http://docker'
        : `${endpoint.certPath === undefined ? 'http' : 'https'}://${endpoint.hostname}:${endpoint.port}`;
  }

  /** @throws EngineError for every status from 400, ProviderError when there is no answer or the signal fires */
  async send(asked: EngineRequest): Promise<EngineAnswer> {
    const { statusCode, headers, body } = await this.open(asked);
    const text = await this.#guard(readAll(body), asked.signal);
    return { status: statusCode, text, at: dateOf(headers) };
  }

  /** The same, with the body still to be read; whoever reads it races it against the signal (`read`). */
  async open(asked: EngineRequest): Promise<Dispatcher.ResponseData> {
    const version = (this.#version ??= await this.#negotiate(asked.signal));
    const answer = await this.#dispatch({ ...asked, path: `/v${version}${asked.path}` });
    if (answer.statusCode < 400) return answer;
    const text = await this.#guard(readAll(answer.body), asked.signal);
    throw new EngineError(answer.statusCode, messageIn(text) || `status ${answer.statusCode}`);
  }

  /** Reads on; ends with the signal. */
  read<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#guard(work, signal);
  }

  async close(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.then(
      (open) => open.destroy(),
      () => undefined,
    );
  }

  async #negotiate(signal: AbortSignal): Promise<string> {
    const answer = await this.#dispatch({ method: 'GET', path: '/version', signal });
    const text = await this.#guard(readAll(answer.body), signal);
    const version = answer.statusCode === 200 ? versionIn(text) : undefined;
    if (version !== undefined) return older(version, NEWEST_API);
    throw new ProviderError(
      'ObservationFailed',
      `What listens at ${this.host} does not answer as a Docker engine does. Correct 'host' in the configuration of ` +
        'the binding.',
    );
  }

  async #dispatch(asked: EngineRequest): Promise<Dispatcher.ResponseData> {
    const { signal } = asked;
    if (signal.aborted) throw abortError(signal, this.#what());
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(asked.query ?? {})) {
      if (value !== undefined) query.set(key, value);
    }
    const work = async (): Promise<Dispatcher.ResponseData> => {
      const dispatcher = await (this.#agent ??= this.#connect());
      return request(`${this.#origin}${asked.path}${query.size > 0 ? `?${query.toString()}` : ''}`, {
        dispatcher,
        method: asked.method,
        headers: {
          ...(asked.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...asked.headers,
        },
        body: asked.json === undefined ? (asked.body ?? null) : JSON.stringify(asked.json),
        signal,
      });
    };
    return this.#guard(work(), signal);
  }

  async #connect(): Promise<Agent> {
    const { endpoint } = this;
    // Zero: a pull or the stream of events may be silent for long.
    const common = { headersTimeout: 0, bodyTimeout: 0 };
    if (endpoint.kind === 'unix') {
      return new Agent({ ...common, connect: { socketPath: endpoint.path, timeout: CONNECT_MS } });
    }
    const { certPath, verify } = endpoint;
    if (certPath === undefined) return new Agent({ ...common, connect: { timeout: CONNECT_MS } });
    try {
      const [ca, cert, key] = await Promise.all(
        ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(join(certPath, name))),
      );
      const tls = { ca, cert, key, rejectUnauthorized: verify };
      return new Agent({ ...common, connect: { timeout: CONNECT_MS, ...tls } });
    } catch (cause) {
      this.#agent = undefined;
      throw new ProviderConfigError(
        `The configuration key 'certPath' must name a folder with ca.pem, cert.pem and key.pem (${codeOf(cause)}).`,
        { cause },
      );
    }
  }

  /** undici does not heed a signal while it connects, hence the race. */
  async #guard<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(abortError(signal, this.#what()));
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } catch (error) {
      work.catch(() => undefined);
      if (signal.aborted) throw abortError(signal, this.#what());
      if (error instanceof EngineError || error instanceof ProviderError) throw error;
      throw this.#unreachable(error);
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort);
    }
  }

  #unreachable(cause: unknown): ProviderError {
    // Another engine may answer the next time.
    this.#version = undefined;
    const code = codeOf(cause);
    const remedy =
      code === 'EACCES'
        ? 'Let the user of this process open the socket (mostly by the group docker).'
        : "Start it, or set 'host' in the configuration of the binding to where it listens.";
    return new ProviderError(
      'ObservationFailed',
      `The Docker engine at ${this.host} cannot be reached (${code}). ${remedy}`,
      undefined,
      { cause },
    );
  }

  #what(): string {
    return `The call to the Docker engine at ${this.host}`;
  }
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function versionIn(text: string): string | undefined {
  try {
    const { ApiVersion } = JSON.parse(text) as { ApiVersion?: unknown };
    return typeof ApiVersion === 'string' && /^\d+\.\d+$/.test(ApiVersion) ? ApiVersion : undefined;
  } catch {
    return undefined;
  }
}

/** The smaller of two versions such as `1.41`; their parts are numbers. */
export function older(a: string, b: string): string {
  const [left = [], right = []] = [a, b].map((version) => version.split('.').map(Number));
  const difference = (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
  return difference <= 0 ? a : b;
}

/** `{"message": "…"}`, or the text itself. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text.trim();
  }
}

function dateOf(headers: Dispatcher.ResponseData['headers']): number | undefined {
  const { date } = headers;
  const at = typeof date === 'string' ? Date.parse(date) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : messageOf(error);
}
