import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { configKey } from '../../src/config/keys.js';
import { createLogger } from '../../src/modules/logging/index.js';
import { EngineClient, type Answer } from './engine-client.js';
import { createTestDatabase } from './postgres.js';

export type { Answer, Wire } from './engine-client.js';

export interface EngineOptions {
  /** A database of its own unless a URL is given. */
  databaseUrl?: string;
  /** Further configuration keys, for example `reconcile.interval`. */
  config?: Record<string, unknown>;
}

/** Where engines keep their objects: all in which the modes differ for a test that speaks HTTP. */
export interface EnginePlace {
  /** Engines with the same text share what they have. */
  readonly url: string;
  /** Configuration keys. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly password: string;
  /** What tests call `default`. */
  readonly namespace: string;
  /** What a test says, as it is said to this engine. */
  outgoing(path: string, body: unknown): { path: string; body: unknown };
  /** What the engine says, as a test expects it. */
  incoming(text: string): string;
  drop(): Promise<void>;
}

let openElsewhere: ((url: string | undefined) => Promise<EnginePlace>) | undefined;

/** From now on engines run somewhere else than on a database. @param open gets the place of another engine, or none */
export function runElsewhere(open: (url: string | undefined) => Promise<EnginePlace>): void {
  openElsewhere = open;
}

/** Whether a test runs in Kubernetes mode: only for `standaloneOnly`, and for looks behind the engine. */
export function isElsewhere(): boolean {
  return openElsewhere !== undefined;
}

async function openDatabase(url: string | undefined): Promise<EnginePlace> {
  const database = url === undefined ? await createTestDatabase() : undefined;
  const databaseUrl = url ?? database?.url ?? '';
  return {
    url: databaseUrl,
    flags: { databaseUrl },
    password: '',
    namespace: 'default',
    outgoing: (path, body) => ({ path, body }),
    incoming: (text) => text,
    drop: async () => database?.drop(),
  };
}

/** A whole engine in this process, behind a real port, on a database or in namespaces of its own; used as a client would use it. */
export class TestEngine extends EngineClient {
  private constructor(
    private readonly app: Awaited<ReturnType<typeof createApp>>,
    url: string,
    private readonly place: EnginePlace,
  ) {
    super(url);
  }

  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const place = await (openElsewhere ?? openDatabase)(options.databaseUrl);
    const flags = new Map(
      Object.entries<unknown>({ port: '0', ...place.flags, ...options.config }).map(([key, value]) => [
        keyOf(key),
        String(value),
      ]),
    );
    const unknown = [...flags.keys()].filter((key) => !configKey(key));
    if (unknown.length > 0) throw new Error(`there are no configuration keys ${unknown.join(', ')}`);
    const { config } = loadConfig({ flags, env: {} });
    const app = await createApp(
      config,
      createLogger({ level: process.env.SYMPHONY_TEST_LOG === undefined ? 'fatal' : 'debug' }),
    );
    await app.listen(0, '127.0.0.1');
    const engine = new TestEngine(app, await app.getUrl(), place);
    await engine.login('admin', place.password);
    return engine;
  }

  /** Where it keeps its objects, for another engine that shares them. */
  get databaseUrl(): string {
    return this.place.url;
  }

  /** What `default` is called to providers. */
  get namespace(): string {
    return this.place.namespace;
  }

  override async request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>> {
    const said = this.place.outgoing(path, body);
    const answer = await super.request<T>(method, said.path, said.body, headers);
    const text = this.place.incoming(answer.text);
    if (text === answer.text) return answer;
    return { ...answer, text, body: (typeof answer.body === 'string' ? text : JSON.parse(text)) as T };
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.place.drop();
  }

  /** Ends the engine and keeps what it has. */
  async leave(): Promise<void> {
    await this.app.close();
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
