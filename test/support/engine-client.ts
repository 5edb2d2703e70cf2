import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectStatus, SummaryResult } from '@symphony/model';

export interface Answer<T = unknown> {
  status: number;
  headers: Headers;
  /** The body as JSON, or as text where it is none. */
  body: T;
  text: string;
}

/** An object as GET shows it. */
export interface Wire {
  metadata: { name: string; generation: number; etag: string; uid: string; deletionTimestamp?: string };
  spec: Record<string, unknown>;
  status?: Partial<ObjectStatus>;
}

/** How long a test waits for an answer. */
const ANSWER_MS = 30_000;
/** How long a test waits for what must happen; less than a test may take, so that it can say what is there instead. */
const DEADLINE_MS = 50_000;

/** The engine says that it cannot answer now, and when to ask again: nobody leads, or the database is away for a moment. */
class NotNow extends Error {}

/** An engine as its clients see it: by HTTP, logged in. */
export class EngineClient {
  #token = '';

  /** @param url without `/v1alpha2` */
  constructor(public url: string) {}

  async login(username = 'admin', password = ''): Promise<void> {
    const answer = await this.request<{ accessToken: string }>('POST', '/users/auth', { username, password });
    if (answer.status !== 200) throw new Error(`login failed: ${answer.text}`);
    this.#token = answer.body.accessToken;
  }

  get authorization(): Record<string, string> {
    return { authorization: `Bearer ${this.#token}` };
  }

  async request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    /** The client hangs up. */
    signal?: AbortSignal,
  ): Promise<Answer<T>> {
    const deadline = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(`${this.url}/v1alpha2${path}`, {
      method,
      headers: { ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
    });
    const text = await response.text();
    let parsed: unknown;
    try {
      parsed = text === '' ? undefined : JSON.parse(text);
    } catch {
      parsed = text;
    }
    return { status: response.status, headers: response.headers, body: parsed as T, text };
  }

  /** A request that must succeed; {@link NotNow} where the engine asks to come again, so that whoever waits may. */
  async ok<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const answer = await this.request<T>(method, path, body, headers);
    if (answer.status !== 200) throw refusal(method, path, answer);
    return answer.body;
  }

  target(
    name: string,
    spec: object,
    namespace = 'default',
    annotations: Record<string, string> = {},
  ): Promise<unknown> {
    return this.ok('POST', `/targets/registry/${name}`, { metadata: { namespace, annotations }, spec });
  }

  solution(name: string, components: object[], namespace = 'default'): Promise<unknown> {
    return this.ok('POST', `/solutions/${name}`, { metadata: { namespace }, spec: { components } });
  }

  instance(
    name: string,
    spec: object,
    namespace = 'default',
    annotations: Record<string, string> = {},
  ): Promise<unknown> {
    return this.ok('POST', `/instances/${name}`, { metadata: { namespace, annotations }, spec });
  }

  async get(
    kind: 'instances' | 'targets/registry' | 'solutions',
    name: string,
    namespace = 'default',
  ): Promise<Wire | undefined> {
    const path = `/${kind}/${name}?namespace=${namespace}`;
    const answer = await this.request<Wire>('GET', path);
    if (answer.status === 503) throw refusal('GET', path, answer);
    return answer.status === 404 ? undefined : answer.body;
  }

  async summary(name: string, namespace = 'default'): Promise<SummaryResult | undefined> {
    const answer = await this.request<SummaryResult>(
      'GET',
      `/solution/queue?instance=${name}&namespace=${namespace}`,
    );
    return answer.status === 200 ? answer.body : undefined;
  }

  /** Waits until the status speaks of the newest generation and says what is expected. */
  async settled(
    kind: 'instances' | 'targets/registry',
    name: string,
    word: ObjectStatus['status'] = 'Succeeded',
    namespace = 'default',
  ): Promise<Wire> {
    return this.until(
      `${kind}/${name} to be ${word}`,
      async () => {
        const object = await this.get(kind, name, namespace);
        const status = object?.status;
        return object && status?.status === word && status.observedGeneration === object.metadata.generation
          ? object
          : undefined;
      },
      () => this.get(kind, name, namespace),
    );
  }

  async gone(kind: 'instances' | 'targets/registry', name: string, namespace = 'default'): Promise<void> {
    await this.until(
      `${kind}/${name} to be gone`,
      async () => ((await this.get(kind, name, namespace)) ? undefined : true),
      () => this.get(kind, name, namespace),
    );
  }

  /**
   * Polls a condition until it holds; on the deadline it fails with what there is instead. An engine that cannot answer now is asked
   * again until then, as its clients do; any other failure of a look ends the wait.
   */
  async until<T>(
    what: string,
    look: () => Promise<T | undefined>,
    instead?: () => Promise<unknown>,
    deadlineMs = DEADLINE_MS,
  ): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const found = await unlessNotNow(look);
      if (found !== undefined && !(found instanceof NotNow)) return found;
      if (performance.now() > deadline) {
        const there = found ?? (instead && (await unlessNotNow(instead)));
        const shown = there instanceof NotNow ? there.message : JSON.stringify(there, undefined, 1);
        throw new Error(`waited in vain for ${what}; there is ${shown}`);
      }
      await delay(20);
    }
  }
}

function refusal(method: string, path: string, { status, headers, text }: Answer): Error {
  const message = `${method} ${path} answered ${status}: ${text}`;
  return status === 503 && headers.has('retry-after') ? new NotNow(message) : new Error(message);
}

async function unlessNotNow<T>(look: () => Promise<T>): Promise<T | NotNow> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof NotNow) return error;
    throw error;
  }
}
