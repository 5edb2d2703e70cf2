import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { configKey } from '../../src/config/keys.js';
import { createLogger } from '../../src/modules/logging/index.js';
import { openPlace, type EnginePlace } from './engine-place.js';
import { PlacedClient } from './placed-client.js';

export type { Answer, Wire } from './engine-client.js';

export interface EngineOptions {
  /** A database of its own unless a URL is given. */
  databaseUrl?: string;
  /** Further configuration keys, for example `reconcile.interval`. */
  config?: Record<string, unknown>;
}

/** A whole engine in this process, behind a real port, on a database or in namespaces of its own; used as a client would use it. */
export class TestEngine extends PlacedClient {
  private constructor(
    url: string,
    place: EnginePlace,
    /** In the order in which they started. The client speaks to the last one. */
    private readonly apps: readonly App[],
  ) {
    super(url, place);
  }

  static async start({ databaseUrl, config = {} }: EngineOptions = {}): Promise<TestEngine> {
    const place = await openPlace(databaseUrl);
    const flags = { ...place.flags, ...config };
    const apps = [];
    // Where there are engines already, one of them leads.
    if (place.throughFollower && databaseUrl === undefined) {
      const leader = await launch(flags);
      await place.serves(await leader.getUrl());
      apps.push(leader);
    }
    const app = await launch(flags);
    apps.push(app);
    const engine = new TestEngine(await app.getUrl(), place, apps);
    await place.serves(engine.url);
    await engine.login('admin', place.password);
    return engine;
  }

  async stop(): Promise<void> {
    await this.leave();
    await this.place.drop();
  }

  /** Ends the engine and keeps what it has. */
  async leave(): Promise<void> {
    for (const app of this.apps.toReversed()) await app.close();
  }
}

type App = Awaited<ReturnType<typeof createApp>>;

async function launch(values: Readonly<Record<string, unknown>>): Promise<App> {
  const flags = new Map(
    Object.entries<unknown>({ port: '0', ...values }).map(([key, value]) => [keyOf(key), String(value)]),
  );
  const unknown = [...flags.keys()].filter((key) => !configKey(key));
  if (unknown.length > 0) throw new Error(`there are no configuration keys ${unknown.join(', ')}`);
  const { config } = loadConfig({ flags, env: {} });
  const level = process.env.SYMPHONY_TEST_LOG === undefined ? 'fatal' : 'debug';
  const app = await createApp(config, createLogger({ level }));
  await app.listen(0, '127.0.0.1');
  return app;
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
