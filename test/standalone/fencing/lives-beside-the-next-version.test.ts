import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { mockTopology } from '../../support/engine.js';
import { EngineProcess } from '../../support/engine-process.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { futureVersion, NEWEST, type FutureMigration } from './future-version.js';
import { metric } from './replicas.js';

const ALL_MS = 180_000;
const INSTANCES = 20;

const TABLES = [
  'runs',
  'ledger',
  'lanes',
  'object_status',
  'objects',
  'workers',
  'summaries',
  'target_health',
  'fan_outs',
];
/** All that a version may do to tables that the version before works with. */
const ADDITIONS = [
  ...TABLES.flatMap((table) => [
    `ALTER TABLE ${table} ADD COLUMN future_flag boolean NOT NULL DEFAULT false`,
    `ALTER TABLE ${table} ADD COLUMN future_note text`,
  ]),
  `CREATE TABLE future_things (id bigint PRIMARY KEY, lane bigint REFERENCES lanes (id) ON DELETE CASCADE)`,
  `CREATE INDEX lanes_by_future ON lanes (future_note) WHERE future_note IS NOT NULL`,
];

let database: TestDatabase;
const cleanups: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  database = await createTestDatabase('versions');
  cleanups.push(() => database.drop());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function engine(main?: string): Promise<EngineProcess> {
  const started = await EngineProcess.start({ databaseUrl: database.url, ...(main ? { main } : {}) });
  cleanups.push(() => started.kill());
  return started;
}

async function future(migration: FutureMigration): Promise<{ main: string; migration: string }> {
  const version = await futureVersion(migration);
  cleanups.push(() => version.remove());
  return version;
}

async function query<T>(text: string): Promise<T[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

const WRITERS = [0, 1, 2];

/** Changes instances without a pause, through whichever engines there are at the moment. */
class Load {
  engines: readonly EngineProcess[];
  readonly failures: string[] = [];
  /** Milliseconds. */
  slowest = 0;
  written = 0;
  readonly #ending = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(engine: EngineProcess) {
    this.engines = [engine];
    this.#done = Promise.all(WRITERS.map((first) => this.#write(first)));
  }

  /** From now on through this engine alone; resolves when the others have answered what they were asked. */
  async only(engine: EngineProcess): Promise<void> {
    this.engines = [engine];
    const enough = this.written + 2 * WRITERS.length;
    await engine.until('the load to move', async () => (this.written >= enough ? true : undefined));
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }

  async #write(first: number): Promise<void> {
    for (let n = first; !this.#ending.signal.aborted; n += WRITERS.length) {
      const name = `i${n % INSTANCES}`;
      const spec = { solution: 'app', target: { name: `t${n % 4}` }, parameters: { turn: String(n) } };
      const began = performance.now();
      const engine = this.engines[n % this.engines.length];
      const answer = await engine
        ?.request('POST', `/instances/${name}`, { spec })
        .catch((error: unknown) => ({ status: 'no answer', text: String(error) }));
      this.slowest = Math.max(this.slowest, performance.now() - began);
      this.written++;
      if (answer?.status !== 200) this.failures.push(`${answer?.status}: ${answer?.text}`);
    }
  }
}

test(
  'a later version that adds to the schema is started under load: both work on, no request fails, and either may be started again',
  async () => {
    const old = await engine();
    const solution = [{ name: 'c', properties: { turn: '${{$param(turn)}}' }, parameters: { turn: '0' } }];
    await old.solution('app', solution);
    for (let n = 0; n < 4; n++) await old.target(`t${n}`, { topologies: mockTopology(`versions-${n}`) });
    const load = new Load(old);
    cleanups.push(() => load.end());
    await old.until('the load to be on', async () => (load.written > 100 ? true : undefined));

    const version = await future({ up: ADDITIONS, tables: TABLES, oldestProgram: NEWEST });
    const next = await engine(version.main);
    expect(next.output).toContain(version.migration);
    load.engines = [old, next];
    const ran = async (): Promise<[number, number]> => {
      const [a, b] = await Promise.all(
        [old, next].map((one) => metric(one, 'workqueue_work_duration_seconds_count')),
      );
      return [a ?? 0, b ?? 0];
    };
    const [before] = await ran();
    await old.until('both to run lanes', async () => {
      const [a, b] = await ran();
      return a > before + 50 && b > 50 ? true : undefined;
    });

    await load.only(next);
    await old.kill();
    await old.begin();
    load.engines = [old, next];
    expect(old.output).toContain('which this one can work with');
    await old.until('the old version to work again', async () => ((await ran())[0] > 20 ? true : undefined));
    await load.end();
    expect(load.failures).toEqual([]);
    expect(load.slowest).toBeLessThan(10_000);
    for (let n = 0; n < INSTANCES; n++) await next.settled('instances', `i${n}`);
    for (const one of [old, next]) {
      const { faults } = (await (await fetch(`${one.url}/healthz`)).json()) as { faults: unknown };
      expect([one.alive, faults]).toEqual([true, { unhandledRejection: 0, uncaughtException: 0 }]);
      expect(one.output).not.toContain('cached plan must not change');
    }
  },
  ALL_MS,
);

test.each([
  ['does not say who can live with it', undefined],
  ['says that this version cannot live with it', NEWEST + 1000],
] as const)('a schema that %s: this version does not start, and says why', async (_, oldestProgram) => {
  const version = await future({
    up: ['ALTER TABLE runs DROP COLUMN actor'],
    ...(oldestProgram === undefined ? {} : { oldestProgram }),
  });
  const next = await engine(version.main);
  await next.stop();
  const refused = await engine().catch((error: unknown) => String(error));
  expect(refused).toContain('cannot work with');
  expect(refused).toContain(version.migration);
  expect(refused).toContain('Start that version or a later one');
  // It has touched nothing: the later version goes on.
  await next.begin();
});

test('a migration that waits for a table gives way to everybody else, and comes through in the end', async () => {
  const source = createDataSource({ url: database.url, poolSize: 2, applicationName: 'test' });
  await migrate(source);
  class Waiting1900000000000 {
    readonly name = 'Waiting1900000000000';
    async up(runner: { query(text: string): Promise<unknown> }): Promise<void> {
      await runner.query('ALTER TABLE lanes ADD COLUMN waiting text');
    }
    async down(): Promise<void> {}
  }
  const options = source.options as PostgresDataSourceOptions;
  const later = new DataSource({ ...options, migrations: [Waiting1900000000000] });

  // A backup, for example: it reads, and keeps the tables as they are.
  const reader = new Client({ connectionString: database.url });
  await reader.connect();
  cleanups.push(() => reader.end());
  await reader.query('BEGIN');
  await reader.query('SELECT FROM lanes');
  const migrated = migrate(later);
  let slowest = 0;
  for (const end = performance.now() + 4_000; performance.now() < end;) {
    const began = performance.now();
    await query('SELECT FROM lanes LIMIT 1');
    slowest = Math.max(slowest, performance.now() - began);
  }
  // It did stand in the way for a moment, and no longer.
  expect(slowest).toBeGreaterThan(200);
  expect(slowest).toBeLessThan(2_000);
  await reader.query('COMMIT');
  expect(await migrated).toEqual(['Waiting1900000000000']);
  await expect(migrate(later, { lockWaitMs: 1 })).resolves.toEqual([]);
}, 60_000);
