import { UnavailableError } from '@symphony/model';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { insertFanOuts, PostgresJobStore } from '../../../src/modes/standalone/stores/jobs/index.js';
import type { JobManager } from '../../../src/modules/queue/index.js';
import { connectQueue } from './connect.js';
import { startManager } from './manager.js';
import { openQueue, orderOf, outcomeOf, until, type QueueFixture } from './support.js';

let queue: QueueFixture;
const managers: JobManager[] = [];
beforeAll(async () => {
  queue = await openQueue('hints');
});
afterAll(() => queue.close());
beforeEach(() => queue.clear());
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.stop()));
});

const open = async (): Promise<number> => {
  const [row] = await queue.database.query<{ n: number }>(
    `SELECT (SELECT count(*) FROM lanes WHERE done_seq < order_seq)::int
          + (SELECT count(*) FROM fan_outs)::int AS n`,
  );
  return row?.n ?? -1;
};

async function storeInstances(count: number, solution: string): Promise<void> {
  await queue.database.query(
    `INSERT INTO objects (kind, namespace, name, labels, annotations, spec, solution_ref)
     SELECT 'Instance', 'default', 'n' || i, '{}', '{}', '{}', $2 FROM generate_series(1, $1::int) i`,
    [count, solution],
  );
}

test('with NOTIFY and events switched off everything runs, only later', async () => {
  const deaf = new PostgresJobStore(queue.database, () => Promise.resolve(), {
    wake: () => undefined,
    finished: () => undefined,
    onWake: () => () => undefined,
  });
  managers.push(startManager(deaf, () => outcomeOf(), { pollMs: 200 }));
  await storeInstances(30, 'app');
  for (let i = 0; i < 5; i++) {
    await queue.order({ name: `x${i}` }, { name: 'later', delayMs: 300 });
    await insertFanOuts(queue.database, [{ kind: 'Solution', namespace: 'default', name: 'app', uid: 'u' }]);
  }
  await until('all run', open, (n) => n === 0);
  const [row] = await queue.database.query<{ n: number }>('SELECT count(*)::int AS n FROM lanes');
  expect(row?.n).toBe(36);
});

test('with them on, an order of this process or of another starts at once, long before the poll', async () => {
  const other = await connectQueue(queue.url);
  try {
    queue.wakeups.start();
    other.wakeups.start();
    const started = new Map<string, number>();
    managers.push(
      startManager(
        other.store,
        (claim) => {
          started.set(claim.name, performance.now());
          return outcomeOf();
        },
        { pollMs: 600_000, periodicPerSecond: 1_000 },
      ),
    );
    await queue.order({ name: 'warm-up' });
    await until(
      'warm',
      () => started.size,
      (n) => n > 0,
    );
    // A poll comes after the deadline of these waits.
    await queue.order({ name: 'remote' });
    await until('remote', () => started.has('remote'), Boolean);
    await queue.database.query('SELECT 1');
    other.wakeups.wake({ lanes: [], fanOuts: false });
    await queue.order({ name: 'timed', delayMs: 400 });
    await until('timed', () => started.has('timed'), Boolean);
  } finally {
    await Promise.all(managers.splice(0).map((manager) => manager.stop()));
    await other.close();
  }
});

test('the end of a posted deployment wakes who waits for it in another process', async () => {
  const other = await connectQueue(queue.url);
  try {
    other.wakeups.start();
    queue.wakeups.start();
    managers.push(startManager(queue.store));
    const seq = await queue.store.orderInline({
      ...orderOf({ name: 'posted' }),
      payload: { deployment: { a: 1 }, jobId: '1' },
    });
    const began = performance.now();
    while (!(await other.store.isDone(orderOf({ name: 'posted' }), seq)))
      await other.wakeups.nextFinished(30_000);
    expect(performance.now() - began).toBeLessThan(25_000);
  } finally {
    await other.close();
  }
});

/** As a client orders that is told to try again: its own connection may be among those that were ended. */
async function ordered(orders: { name: string }[]): Promise<void> {
  await until(
    'the order to be taken',
    () => queue.order(...orders).then(() => true, isUnavailable),
    (taken) => taken,
  );
}

function isUnavailable(error: unknown): false {
  if (error instanceof UnavailableError) return false;
  throw error;
}

test('connections that the database ends, again and again, cost nothing but time', async () => {
  const JOBS = 300;
  const runs = new Map<string, number>();
  const other = await connectQueue(queue.url, { poolSize: 4 });
  const handle = async (claim: { name: string }) => {
    runs.set(claim.name, (runs.get(claim.name) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return outcomeOf();
  };
  const { database } = await connectQueue(queue.url, { poolSize: 1 });
  try {
    other.wakeups.start();
    managers.push(
      startManager(other.store, handle, { concurrency: 4, pollMs: 300, leaseMs: 3_000 }),
      startManager(other.store, handle, { concurrency: 4, pollMs: 300, leaseMs: 3_000 }),
    );
    for (let i = 0; i < JOBS; i += 30) {
      await ordered(Array.from({ length: 30 }, (_, k) => ({ name: `n${i + k}` })));
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await until(
      'all done',
      async () => {
        const [row] = await database.query<{ n: number }>(
          'SELECT count(*)::int AS n FROM lanes WHERE done_seq < order_seq OR worker IS NOT NULL',
        );
        return row?.n;
      },
      (n) => n === 0,
      40_000,
    );
    expect(runs.size).toBe(JOBS);
  } finally {
    await Promise.all(managers.splice(0).map((manager) => manager.stop()));
    await other.close();
    await database.dataSource.destroy();
  }
});
