import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresTargetSlots } from '../../../src/modes/standalone/stores/runs/postgres-target-slots.js';
import { PostgresWakeups } from '../../../src/modes/standalone/stores/jobs/index.js';
import { Workers } from '../../../src/modes/standalone/stores/jobs/workers.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { TargetSlots } from '../../../src/modules/solution/index.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const LEASE_MS = 60_000;
const QUIET = new AbortController().signal;

let testDatabase: TestDatabase;
const open: (() => Promise<void>)[] = [];

/** For tests of what ends a wait: neither patience nor the look that covers lost hints does, however busy the machine is. */
const PATIENT = { waitMs: 50_000, slowMs: 50_000, lookEveryMs: 50_000 };

/** What one replica has: a pool, wake-ups, a worker and the slots. */
async function replica({ waitMs = 10_000, slowMs = 2_000, lookEveryMs = 1_000 } = {}) {
  const source = createDataSource({ url: testDatabase.url, poolSize: 6, applicationName: 'slots-test' });
  await source.initialize();
  const database = new Database(source);
  const statements: string[] = [];
  const told = new Proxy(database, {
    get: (target, key: keyof Database) => {
      const value: unknown = target[key];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (key === 'query') statements.push(String((args[0] as { name?: string }).name));
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const wakeups = new PostgresWakeups({ connection: { connectionString: testDatabase.url } });
  const shared = new PostgresTargetSlots(told, wakeups, lookEveryMs);
  const workers = new Workers(database, shared);
  const id = randomUUID();
  open.push(async () => {
    shared.stop();
    await wakeups.stop();
    await source.destroy();
  });
  const listening = new Promise<void>((resolve) => wakeups.onWake(() => resolve()));
  wakeups.start();
  await listening;
  return {
    id,
    database,
    statements,
    workers,
    slots: new TargetSlots({ waitMs, slowMs }, shared),
    register: (leaseMs = LEASE_MS) => workers.register(id, leaseMs),
    beat: () => workers.heartbeat(id, LEASE_MS),
  };
}

type Replica = Awaited<ReturnType<typeof replica>>;

/** Counts what runs at once on one target. */
class Meter {
  most = 0;
  #now = 0;

  async call({ slots }: Replica, target: string, limit: number, ms: number): Promise<boolean> {
    const release = await slots.acquire(target, limit, [QUIET]);
    if (!release) return false;
    this.most = Math.max(this.most, ++this.#now);
    await delay(ms);
    this.#now--;
    release();
    return true;
  }
}

async function holdersOf({ database }: Replica, target: string): Promise<number> {
  return (await database.query('SELECT 1 FROM target_slots WHERE target_uid = $1', [target])).length;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await delay(10);
  }
}

beforeAll(async () => {
  testDatabase = await createTestDatabase('slots');
  const source = createDataSource({ url: testDatabase.url, poolSize: 1, applicationName: 'slots-test' });
  await source.initialize();
  await migrate(source);
  await source.destroy();
});
beforeEach(async () => {
  for (const close of open.splice(0)) await close();
  const source = createDataSource({ url: testDatabase.url, poolSize: 1, applicationName: 'slots-test' });
  await source.initialize();
  await source.query('TRUNCATE workers CASCADE');
  await source.destroy();
});
afterAll(async () => {
  for (const close of open.splice(0)) await close();
  await testDatabase.drop();
});

describe('the calls that all replicas make to a target at once', () => {
  it.each([1, 3])('never exceed the limit of %i, and all get their turn', async (limit) => {
    const replicas = [await replica(), await replica(), await replica()];
    for (const one of replicas) await one.register();
    for (const one of replicas) await one.beat();
    const meter = new Meter();
    const calls = replicas.flatMap((one) =>
      Array.from({ length: 10 }, () => meter.call(one, 'busy', limit, 15)),
    );
    expect(await Promise.all(calls)).toEqual(calls.map(() => true));
    expect(meter.most).toBe(limit);
    const [first] = replicas;
    if (first) await until(async () => (await holdersOf(first, 'busy')) === 0);
  });

  it('never exceed the limit while a second replica joins one that was alone in the middle of its calls', async () => {
    const [lone, second] = [await replica(), await replica()];
    await lone.register();
    const meter = new Meter();
    const first = meter.call(lone, 'joined', 1, 400);
    await delay(50);
    await second.register();
    expect(await meter.call(second, 'joined', 1, 10)).toBe(true);
    expect(await first).toBe(true);
    expect(meter.most).toBe(1);
  });

  it('never exceed the limit when two replicas register in the same moment', async () => {
    const replicas = await Promise.all(Array.from({ length: 4 }, () => replica()));
    await Promise.all(replicas.map((one) => one.register()));
    const meter = new Meter();
    const calls = replicas.map((one) => meter.call(one, 'together', 1, 30));
    expect(await Promise.all(calls)).toEqual(calls.map(() => true));
    expect(meter.most).toBe(1);
  });
});

it('a replica that is alone writes nothing, and again nothing when the others have gone', async () => {
  const [one, other] = [await replica(), await replica()];
  await one.register();
  const meter = new Meter();
  await Promise.all(Array.from({ length: 20 }, () => meter.call(one, 'quiet', 4, 5)));
  expect(meter.most).toBe(4);
  expect(one.statements.filter((name) => name !== 'slot_others')).toEqual([]);

  await other.register();
  await meter.call(other, 'quiet', 4, 1);
  await meter.call(one, 'quiet', 4, 1);
  expect(one.statements).toContain('slot_take');
  await other.workers.retire(other.id);
  await one.beat();
  await until(async () => {
    one.statements.length = 0;
    await meter.call(one, 'quiet', 4, 1);
    return !one.statements.includes('slot_take');
  });
});

it('a dead replica gives its slots back when it is declared dead, to a call that waits for one', async () => {
  const [dead, alive] = [await replica(), await replica({ ...PATIENT, lookEveryMs: 1_000 })];
  await alive.register();
  await dead.register();
  await alive.beat();
  expect(await dead.slots.acquire('left', 1, [QUIET])).toBeDefined();
  const waiting = alive.slots.acquire('left', 1, [QUIET]);
  await alive.database.query('UPDATE workers SET lease_until = now() WHERE id = $1', [dead.id]);
  await until(async () => (await alive.workers.takeOver(0)) >= 0 && (await holdersOf(alive, 'left')) < 1);
  expect(await waiting).toBeDefined();
});

it('a target whose calls hang turns others away at once, on all replicas, and takes nothing of other targets', async () => {
  const [one, other] = [await replica(), await replica()];
  await one.register();
  await other.register();
  await one.beat();
  const hangs = await one.slots.acquire('hung', 1, [QUIET]);
  expect(hangs).toBeDefined();
  await delay(2_100);
  const began = performance.now();
  expect(await other.slots.acquire('hung', 1, [QUIET])).toBeUndefined();
  expect(await one.slots.acquire('hung', 1, [QUIET])).toBeUndefined();
  const fine = await Promise.all([one, other].map((each) => each.slots.acquire('well', 2, [QUIET])));
  expect(fine.every((release) => release !== undefined)).toBe(true);
  // Far less than a call may wait for its turn.
  expect(performance.now() - began).toBeLessThan(9_000);
});

it('who waits for another replica is woken by it, and an abort ends the wait', async () => {
  const [one, other] = [await replica(PATIENT), await replica(PATIENT)];
  await one.register();
  await other.register();
  await one.beat();
  const release = await one.slots.acquire('told', 1, [QUIET]);
  const abort = new AbortController();
  const given = other.slots.acquire('told', 1, [QUIET]);
  await until(async () => {
    const rows = await one.database.query(`SELECT 1 FROM target_slots WHERE target_uid = 'told' AND wanted`);
    return rows.length > 0;
  });
  const began = performance.now();
  release?.();
  expect(await given).toBeDefined();
  // Far less than the look that covers lost hints.
  expect(performance.now() - began).toBeLessThan(30_000);
  const cut = one.slots.acquire('told', 1, [abort.signal]);
  abort.abort();
  expect(await cut).toBeUndefined();
});
