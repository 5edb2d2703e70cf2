import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { EngineProcess } from '../../support/engine-process.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { futureVersion, NEWEST, type FutureMigration } from './future-version.js';
import { declareLoad, Load } from './load.js';
import { metric } from './replicas.js';

const ALL_MS = 240_000;
const SLOW_MS = 60_000;
/** So many runs show that an engine works. */
const RUNS = 10;

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

test(
  'a later version that adds to the schema is started under load: both work on, no request fails, and either may be started again',
  async () => {
    const old = await engine();
    await declareLoad(old);
    const load = new Load(old);
    cleanups.push(() => load.end());
    await old.until('the load to be on', async () => (load.accepted > 50 ? true : undefined));

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
    await old.until(
      'both to run lanes',
      async () => {
        const [a, b] = await ran();
        return a > before + RUNS && b > RUNS ? true : undefined;
      },
      async () => [before, await ran(), load.failures.slice(-3)],
      SLOW_MS,
    );

    await load.only(next);
    await old.kill();
    await old.begin();
    load.engines = [old, next];
    expect(old.output).toContain('which this one can work with');
    await old.until(
      'the old version to work again',
      async () => ((await ran())[0] > RUNS ? true : undefined),
      ran,
      SLOW_MS,
    );
    await load.end();
    expect(load.failures).toEqual([]);
    // Who waits for a migration that does not give way waits until his deadline, and has failed.
    expect(load.slowest).toBeLessThan(25_000);
    await load.nothingLost(next);
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
  const look = async (): Promise<number> => {
    const began = performance.now();
    // Counts nothing but the wait for the table, and fails where that lasts too long.
    await query(`SET lock_timeout = '2s'; SELECT FROM lanes LIMIT 1`);
    return performance.now() - began;
  };
  // It does stand in the way for a moment, and no longer.
  const waited: number[] = [];
  for (const end = performance.now() + 30_000; Math.max(0, ...waited) <= 200 && performance.now() < end;) {
    waited.push(await look());
  }
  expect(Math.max(...waited)).toBeGreaterThan(200);
  for (const end = performance.now() + 4_000; performance.now() < end;) await look();
  await reader.query('COMMIT');
  expect(await migrated).toEqual(['Waiting1900000000000']);
  await expect(migrate(later, { lockWaitMs: 1 })).resolves.toEqual([]);
}, 120_000);
