import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { configKey } from '../../src/config/keys.js';
import { createLogger } from '../../src/modules/logging/index.js';
import { EngineClient } from './engine-client.js';
import { createTestDatabase } from './postgres.js';

export type { Answer, Wire } from './engine-client.js';

export interface EngineOptions {
  /** A database of its own unless a URL is given. */
  databaseUrl?: string;
  /** Further configuration keys, for example `reconcile.interval`. */
  config?: Record<string, unknown>;
}

/** A whole engine in this process, behind a real port, on a database of its own; used as a client would use it. */
export class TestEngine extends EngineClient {
  private constructor(
    private readonly app: Awaited<ReturnType<typeof createApp>>,
    url: string,
    readonly databaseUrl: string,
    private readonly dropDatabase: () => Promise<void>,
  ) {
    super(url);
  }

  static async start(options: EngineOptions = {}): Promise<TestEngine> {
    const database = options.databaseUrl ? undefined : await createTestDatabase();
    const databaseUrl = options.databaseUrl ?? database?.url ?? '';
    const flags = new Map(
      Object.entries<unknown>({ 'database-url': databaseUrl, port: '0', ...options.config }).map(
        ([key, value]) => [key, String(value)],
      ),
    );
    const unknown = [...flags.keys()].filter((key) => !configKey(keyOf(key)));
    if (unknown.length > 0) throw new Error(`there are no configuration keys ${unknown.join(', ')}`);
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
