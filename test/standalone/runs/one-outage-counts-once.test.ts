import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reason } from '@symphony/model';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresTargetHealth } from '../../../src/modes/standalone/stores/runs/postgres-target-health.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

/** Longer than a busy machine takes for what is counted from here. */
const FIRST_MS = 60_000;
const TIMEOUT = reason('ProviderTimeout');

let testDatabase: TestDatabase;
let source: DataSource;
let database: Database;
let health: PostgresTargetHealth;

beforeAll(async () => {
  testDatabase = await createTestDatabase('health');
  source = createDataSource({ url: testDatabase.url, poolSize: 8, applicationName: 'health-test' });
  await source.initialize();
  await migrate(source);
  database = new Database(source);
  health = new PostgresTargetHealth(database, undefined, { firstMs: FIRST_MS });
});
afterAll(async () => {
  await source.destroy();
  await testDatabase.drop();
});

async function letTimePass(uid: string): Promise<void> {
  await database.query('UPDATE target_health SET open_until = now() WHERE target_uid = $1', [uid]);
}

it('fifty calls that meet the same outage open the breaker once, for the first time-span', async () => {
  const uid = randomUUID();
  const waits = await Promise.all(Array.from({ length: 50 }, () => health.failed(uid, TIMEOUT)));
  // Each counts from when it began; a second time-span would be twice as long.
  for (const wait of waits) expect(wait).toBeLessThan(1.5 * FIRST_MS);
});

it('each probe that fails doubles the wait, one run gets it, and a success closes the breaker', async () => {
  const uid = randomUUID();
  await health.failed(uid, TIMEOUT);
  expect(await health.takeProbe(uid)).toBe(false);
  for (const factor of [2, 4, 8]) {
    await letTimePass(uid);
    const taken = await Promise.all(Array.from({ length: 10 }, () => health.takeProbe(uid)));
    expect(taken.filter((it) => it)).toHaveLength(1);
    const wait = await health.failed(uid, TIMEOUT);
    expect(wait).toBeGreaterThan((factor / 2) * FIRST_MS);
    expect(wait).toBeLessThanOrEqual(factor * FIRST_MS);
  }
  await health.recovered(uid);
  expect(await health.failed(uid, TIMEOUT)).toBeLessThanOrEqual(FIRST_MS);
});

it('a target that could not be read is left alone only when that has happened repeatedly', async () => {
  const uid = randomUUID();
  const failed = () => health.failed(uid, reason('ObservationFailed'));
  expect([await failed(), await failed()]).toEqual([undefined, undefined]);
  expect(await failed()).toBeGreaterThan(0);
});
