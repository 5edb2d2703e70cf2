import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { UnavailableError } from '@symphony/model';
import type { JobManager } from '../../../src/modules/queue/index.js';
import { pause } from '../../../src/modules/queue/latch.js';
import { startManager } from './manager.js';
import { keyOf, openQueue, outcomeOf, until, type QueueFixture } from './support.js';

let queue: QueueFixture;
const managers: JobManager[] = [];
beforeAll(async () => {
  queue = await openQueue('manager');
});
afterAll(() => queue.close());
beforeEach(() => queue.clear());
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.stop()));
});

/** The store, with some of its methods replaced. */
function faulty(faults: Partial<QueueFixture['store']>): QueueFixture['store'] {
  const methods = faults as Record<string | symbol, unknown>;
  return new Proxy(queue.store, {
    get: (store, name) => {
      const value: unknown = methods[name] ?? Reflect.get(store, name, store);
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
  });
}

test('a run longer than the lease keeps its lane', async () => {
  let runs = 0;
  managers.push(
    startManager(
      queue.store,
      async () => {
        runs++;
        await pause(12_000);
        return outcomeOf();
      },
      { leaseMs: 9_000, pollMs: 100 },
    ),
    startManager(queue.store, () => outcomeOf(), { leaseMs: 9_000, pollMs: 100, concurrency: 0 }),
  );
  await queue.order({ name: 'a' });
  const lane = await until(
    'done',
    () => queue.store.find(keyOf('a')),
    (found) => found?.orderSeq === found?.doneSeq,
  );
  expect(lane).toMatchObject({ state: 'idle', reason: 'Succeeded' });
  expect(runs).toBe(1);
});

/** It is given up after two thirds, and a machine that stands still for a moment is not to need the rest. */
const LOST_LEASE_MS = 12_000;

test('a lease that cannot be renewed stops its runs before it ends, and the process goes on as a new worker', async () => {
  let broken = false;
  const store = faulty({
    heartbeat: async (worker, leaseMs) => {
      if (broken) throw new UnavailableError('gone');
      return queue.store.heartbeat(worker, leaseMs);
    },
  });
  const epochs: number[] = [];
  let stoppedAfterMs = 0;
  managers.push(
    startManager(
      store,
      async (claim, { stop }) => {
        epochs.push(claim.fence.epoch);
        if (epochs.length > 1) return outcomeOf();
        broken = true;
        const began = performance.now();
        await pause(60_000, stop);
        stoppedAfterMs = performance.now() - began;
        broken = false;
        return outcomeOf({}, 'Interrupted');
      },
      { leaseMs: LOST_LEASE_MS, pollMs: 200 },
    ),
  );
  await queue.order({ name: 'a' });
  const lane = await until(
    'done',
    () => queue.store.find(keyOf('a')),
    (found) => found?.orderSeq === found?.doneSeq,
  );
  // What the stopped run returned was not written.
  expect(lane?.reason).toBe('Succeeded');
  expect(epochs).toEqual([1, 2]);
  expect(stoppedAfterMs).toBeLessThan(LOST_LEASE_MS);
});

test('a newer order is told to the run under way, whichever process it came through', async () => {
  const superseded: string[] = [];
  managers.push(
    startManager(
      queue.store,
      async (claim, control) => {
        if (claim.generation > 1) return outcomeOf();
        await pause(60_000, AbortSignal.any([control.superseded, control.stop]));
        superseded.push(claim.name);
        return outcomeOf({ result: 'yielded' }, 'Superseded');
      },
      { leaseMs: 9_000, pollMs: 60_000 },
    ),
  );
  await queue.order({ name: 'here' }, { name: 'elsewhere' });
  await until(
    'running',
    () => queue.store.list({ state: 'running', limit: 9 }),
    (page) => page.items.length === 2,
  );
  await queue.order({ name: 'here', generation: 2 });
  // As another process would: nobody is told.
  await queue.database.query(
    `UPDATE lanes SET order_seq = nextval('lane_order_seq'), generation = 2, due_at = now() WHERE name = 'elsewhere'`,
  );
  await until(
    'superseded',
    () => superseded.length,
    (n) => n === 2,
  );
  await until(
    'done',
    () => queue.store.list({ state: 'idle', limit: 9 }),
    (page) => page.items.length === 2,
  );
});

test('a handler that throws, and an outcome that cannot be stored, are retries with a reason', async () => {
  managers.push(
    startManager(queue.store, (claim) => {
      if (claim.name === 'throws') throw new Error('a bug');
      return outcomeOf({ reason: { code: 'Succeeded', message: 'NUL \0 is no text for the database' } });
    }),
  );
  await queue.order({ name: 'throws' }, { name: 'unstorable' });
  for (const name of ['throws', 'unstorable']) {
    const lane = await until(
      name,
      () => queue.store.find(keyOf(name)),
      (found) => (found?.attempts ?? 0) > 0,
    );
    expect(lane).toMatchObject({ state: 'waiting', cause: 'retry', reason: 'InternalError' });
  }
});

test('a run that the store failed in the middle is a retry that says so, and is no fault of the engine', async () => {
  managers.push(
    startManager(queue.store, () => {
      throw new UnavailableError('The database cannot be reached.', 'DatabaseUnavailable');
    }),
  );
  await queue.order({ name: 'broken-off' });
  const lane = await until(
    'broken-off',
    () => queue.store.find(keyOf('broken-off')),
    (found) => (found?.attempts ?? 0) > 0,
  );
  expect(lane).toMatchObject({ state: 'waiting', cause: 'retry', reason: 'StoreUnavailable' });
});

test('an outcome is written when the store is back', async () => {
  let failures = 0;
  let runs = 0;
  const store = faulty({
    complete: async (claim, outcome) => {
      if (failures++ < 5) throw new UnavailableError('gone');
      return queue.store.complete(claim, outcome);
    },
  });
  managers.push(startManager(store, () => (runs++, outcomeOf())));
  await queue.order({ name: 'a' });
  await until(
    'done',
    () => queue.store.find(keyOf('a')),
    (found) => found?.orderSeq === found?.doneSeq,
  );
  expect(runs).toBe(1);
});

test('a claim whose answer was lost is run by the next one', async () => {
  let lost = false;
  const store = faulty({
    claim: async (request) => {
      const claims = await queue.store.claim(request);
      if (claims.length === 0 || lost) return claims;
      lost = true;
      throw new UnavailableError('the connection ended');
    },
  });
  managers.push(startManager(store, () => outcomeOf(), { leaseMs: 1_500 }));
  await queue.order({ name: 'a' });
  await until(
    'done',
    () => queue.store.find(keyOf('a')),
    (found) => found?.orderSeq === found?.doneSeq,
  );
  expect(lost).toBe(true);
});

test('a stop lets runs end, stops what lasts too long, and frees every lane', async () => {
  const seen: string[] = [];
  const manager = startManager(
    queue.store,
    async (claim, { stop }) => {
      await pause(claim.name === 'short' ? 200 : 60_000, stop);
      seen.push(`${claim.name}${stop.aborted ? ' stopped' : ''}`);
      return outcomeOf();
    },
    { drainMs: 600 },
  );
  await queue.order({ name: 'short' }, { name: 'long' });
  await until(
    'running',
    () => manager.running,
    (n) => n === 2,
  );
  await manager.stop();
  expect(seen).toEqual(['short', 'long stopped']);
  expect(await queue.store.find(keyOf('short'))).toMatchObject({ state: 'idle' });
  expect(await queue.store.find(keyOf('long'))).toMatchObject({ state: 'waiting', cause: 'person' });
  expect(await queue.database.query('SELECT id FROM workers')).toEqual([]);
  await queue.order({ name: 'late' });
  await manager.stop();
  expect(await queue.store.find(keyOf('late'))).toMatchObject({ state: 'waiting' });
});

test('overdue periodic runs drain at a bounded rate, while a person is served at once', async () => {
  const starts: { name: string; at: number }[] = [];
  await queue.order(
    ...Array.from({ length: 200 }, (_, i) => ({ name: `p${i}`, cause: 'periodic' as const })),
  );
  managers.push(
    startManager(
      queue.store,
      (claim) => {
        starts.push({ name: claim.name, at: performance.now() });
        return outcomeOf();
      },
      { periodicPerSecond: 20, concurrency: 4 },
    ),
  );
  await until(
    'a first second of them',
    () => starts.length,
    (n) => n >= 20,
  );
  const began = performance.now();
  await queue.order({ name: 'person' });
  await until('served', () => starts.some((start) => start.name === 'person'), Boolean);
  // All that is overdue takes ten seconds.
  expect(performance.now() - began).toBeLessThan(5_000);
  await until(
    'more',
    () => starts.length,
    (n) => n >= 60,
  );
  const [first, last] = [starts[0], starts.at(-1)];
  const seconds = ((last?.at ?? 0) - (first?.at ?? 0)) / 1000;
  expect(starts.length).toBeLessThanOrEqual(20 + seconds * 20 + 6);
});

test('no more runs at a time than there are slots', async () => {
  let now = 0;
  let most = 0;
  managers.push(
    startManager(
      queue.store,
      async () => {
        most = Math.max(most, ++now);
        await pause(10);
        now--;
        return outcomeOf();
      },
      { concurrency: 3 },
    ),
  );
  await queue.order(...Array.from({ length: 30 }, (_, i) => ({ name: `n${i}` })));
  await until(
    'done',
    () => queue.store.list({ state: 'idle', limit: 99 }),
    (page) => page.items.length === 30,
  );
  expect(most).toBe(3);
});
