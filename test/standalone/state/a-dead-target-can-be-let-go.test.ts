import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { reason, type StoredObject } from '@symphony/model';
import type { Claim, WakeHint } from '../../../src/modules/queue/index.js';
import { effectsOfWrite } from '../../../src/modules/state/index.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresJobStore } from '../../../src/modes/standalone/stores/jobs/index.js';
import { PostgresObjectStore } from '../../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { writeOutcome } from '../../../src/modes/standalone/stores/runs/outcome-writer.js';
import { PostgresLedger } from '../../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { PostgresTargetHealth } from '../../../src/modes/standalone/stores/runs/postgres-target-health.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const WORKER = 'w';

let testDatabase: TestDatabase;
let source: DataSource;
let database: Database;
let objects: PostgresObjectStore;
let jobs: PostgresJobStore;
let ledger: PostgresLedger;
const wakes: WakeHint[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase('let_go');
  source = createDataSource({ url: testDatabase.url, poolSize: 8, applicationName: 'let-go-test' });
  await source.initialize();
  await migrate(source);
  database = new Database(source);
  const waker = {
    wake: (hint: WakeHint) => void wakes.push(hint),
    onWake: () => () => undefined,
    finished: () => undefined,
  };
  objects = new PostgresObjectStore(database, waker);
  jobs = new PostgresJobStore(database, writeOutcome, waker);
  ledger = new PostgresLedger(database, waker);
  await jobs.register(WORKER, 600_000);
});
afterAll(async () => {
  await source.destroy();
  await testDatabase.drop();
});
beforeEach(async () => {
  await database.query('TRUNCATE objects, object_status, ledger, lanes, fan_outs, target_health CASCADE');
  wakes.length = 0;
});

const AT = { namespace: 'default', labels: {}, annotations: {}, precondition: {} };
const keyOf = <K extends 'Target' | 'Instance'>(kind: K, name: string) => ({
  kind,
  namespace: 'default',
  name,
});

async function target(name: string): Promise<StoredObject> {
  return (await objects.put({ ...AT, kind: 'Target', name, spec: {} }, effectsOfWrite)).object;
}

/** An instance that has a component on a target, and the claim of its run. */
async function instanceOn({ uid, name }: StoredObject, called: string): Promise<Claim> {
  const spec = { solution: 's', target: { name } };
  const { object } = await objects.put({ ...AT, kind: 'Instance', name: called, spec }, effectsOfWrite);
  const claims = await jobs.claim({ worker: WORKER, limit: 10, periodic: true });
  const claim = claims.find((it) => it.name === called);
  if (!claim) throw new Error(`${called} was not claimed`);
  await ledger.begin(claim.fence, [entryOf(object, uid, name)]);
  return claim;
}

function entryOf({ namespace, name, uid }: StoredObject, targetUid: string, targetName: string) {
  return {
    owner: { kind: 'Instance' as const, namespace, name, uid },
    targetUid,
    targetName,
    component: 'web',
    role: 'instance',
    provider: 'providers.target.script',
    bindingHash: 'h',
    scope: 'default',
    binding: { role: 'instance', provider: 'providers.target.script', config: {} },
    applied: { name: 'web' },
    digest: '',
    state: 'intent' as const,
    generation: '1',
    updatedAt: new Date(0).toISOString(),
  };
}

const count = async (table: string): Promise<number> =>
  (await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n ?? 0;

const RETRY = { result: 'retry' as const, reason: reason('ProviderTimeout'), retryAfterMs: 300_000 };

test('what instances have on it is named and released, and they are ordered, also when nobody hears it', async () => {
  const dead = await target('dead');
  const alive = await target('alive');
  await jobs.complete(await instanceOn(dead, 'app'), RETRY);
  await jobs.complete(await instanceOn(alive, 'other'), RETRY);
  await objects.requestDeletion(keyOf('Instance', 'app'), {}, () => ({ orders: [], fanOuts: [] }));
  await new PostgresTargetHealth(database).failed(dead.uid, reason('ProviderTimeout'));
  wakes.length = 0;

  const { left } = await objects.orphan(keyOf('Target', 'dead'), {});
  expect(left).toEqual(['web on dead (providers.target.script)']);
  expect(await objects.get(keyOf('Target', 'dead'))).toBeUndefined();
  const remaining = await database.query('SELECT target_uid FROM ledger');
  expect(remaining).toEqual([{ target_uid: alive.uid }]);
  expect(await count('target_health')).toBe(0);
  expect(await count(`lanes WHERE name = 'dead'`)).toBe(0);
  expect(wakes).toMatchObject([{ lanes: [{ kind: 'Instance', name: 'app' }], fanOuts: true }]);
  const claims = await jobs.claim({ worker: WORKER, limit: 10, periodic: true });
  expect(claims.filter(({ kind }) => kind === 'Instance')).toMatchObject([{ name: 'app', action: 'delete' }]);
  // Those who only name it, or would select it, are ordered as well.
  expect(await database.query('SELECT kind, name FROM fan_outs WHERE uid = $1', [dead.uid])).toContainEqual({
    kind: 'Target',
    name: 'dead',
  });
});

test('a run under way puts nothing on it any more, and brings no entry back', async () => {
  const dead = await target('dead');
  const claim = await instanceOn(dead, 'app');
  await objects.orphan(keyOf('Target', 'dead'), {});
  const owner = await objects.get(keyOf('Instance', 'app'));
  if (!owner) throw new Error('the instance is gone');
  const entry = entryOf(owner, dead.uid, 'dead');
  await expect(ledger.begin(claim.fence, [entry])).rejects.toThrow();
  await ledger.settle(claim.fence, owner.uid, [
    { kind: 'applied', key: entry, applied: entry.applied, digest: 'd', generation: '1' },
  ]);
  expect(await count('ledger')).toBe(0);
});

test('an outcome that is written in the same moment does not bring its entry back', async () => {
  const dead = await target('dead');
  const claim = await instanceOn(dead, 'app');
  const owner = await objects.get(keyOf('Instance', 'app'));
  if (!owner) throw new Error('the instance is gone');
  const entry = entryOf(owner, dead.uid, 'dead');
  // The statement has begun, and waits at the row that is about to be released.
  let settled: Promise<void> | undefined;
  await database.transaction(async (tx) => {
    await tx.query('DELETE FROM ledger WHERE target_uid = $1', [dead.uid]);
    settled = ledger.settle(claim.fence, owner.uid, [
      { kind: 'applied', key: entry, applied: entry.applied, digest: 'd', generation: '1' },
    ]);
    await until(
      async () =>
        (await count(`pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)) > 0,
    );
  });
  await settled;
  expect(await count('ledger')).toBe(0);
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to wait for a lock');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
