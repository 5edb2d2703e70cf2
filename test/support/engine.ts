import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectStatus, SummaryResult } from '@symphony/model';
import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createLogger } from '../../src/modules/logging/index.js';
import { createTestDatabase } from './postgres.js';

export interface EngineOptions {
  /** A database of its own unless a URL is given. */
  databaseUrl?: string;
  /** Further configuration keys, for example `reconcile.interval`. */
  config?: Record<string, unknown>;
}

export interface Answer<T = unknown> {
  status: number;
  headers: Headers;
  body: T;
  text: string;
}

interface Wire {
  metadata: { name: string; generation: number; etag: string; uid: string; deletionTimestamp?: string };
  spec: Record<string, unknown>;
  status?: Partial<ObjectStatus>;
}

const DEADLINE_MS = 30_000;

/** A whole engine in this process, behind a real port, on a database of its own; used as a client would use it. */
export class TestEngine {
  #token = '';

  private constructor(
    private readonly app: Awaited<ReturnType<typeof createApp>>,
    readonly url: string,
    readonly databaseUrl: string,
    private readonly dropDatabase: () => Promise<void>,
  ) {}

  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const database = options.databaseUrl ? undefined : await createTestDatabase();
    const databaseUrl = options.databaseUrl ?? database?.url ?? '';
    const flags = new Map(
      Object.entries({ 'database-url': databaseUrl, port: '0', ...options.config }).map(([key, value]) => [
        key,
        String(value),
      ]),
    );
    const { config } = loadConfig({
      flags: new Map([...flags].map(([key, value]) => [keyOf(key), value])),
      env: {},
    });
    const app = await createApp(
      config,
      createLogger({ level: process.env.SYMPHONY_TEST_LOG === undefined ? 'fatal' : 'debug' }),
    );
    await app.listen(0, '127.0.0.1');
    const engine = new TestEngine(app, await app.getUrl(), databaseUrl, async () => database?.drop());
    await engine.login();
    return engine;
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.dropDatabase();
  }

  /** Ends the engine and keeps the database. */
  async leave(): Promise<void> {
    await this.app.close();
  }

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
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.url}/v1alpha2${path}`, {
      method,
      headers: { ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(DEADLINE_MS),
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

  /** A request that must succeed. */
  async ok<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const answer = await this.request<T>(method, path, body, headers);
    if (answer.status !== 200) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
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
    const answer = await this.request<Wire>('GET', `/${kind}/${name}?namespace=${namespace}`);
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

  /** Polls a condition until it holds; on the deadline it fails with what there is instead. */
  async until<T>(
    what: string,
    look: () => Promise<T | undefined>,
    instead?: () => Promise<unknown>,
  ): Promise<T> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline) {
        throw new Error(
          `waited in vain for ${what}; there is ${JSON.stringify(await instead?.(), undefined, 1)}`,
        );
      }
      await delay(20);
    }
  }
}

/** Test files name flags as the command line does. */
function keyOf(name: string): string {
  const known: Record<string, string> = { 'database-url': 'databaseUrl' };
  return known[name] ?? name;
}

/** A binding of the mock provider whose table is `id`. */
export function mockTopology(id: string, config: Record<string, string> = {}, role = 'instance'): object[] {
  return [{ bindings: [{ role, provider: 'providers.target.mock', config: { id, ...config } }] }];
}
