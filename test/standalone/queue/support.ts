import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { orderLanes } from '../../../src/modes/standalone/stores/jobs/index.js';
import type { Claim, LaneOrder } from '../../../src/modules/queue/index.js';
import { orderOf } from '../../support/job-store/subject.js';
import { createTestDatabase } from '../../support/postgres.js';
import { connectQueue, type ConnectOptions, type QueueProcess } from './connect.js';

export { keyOf, orderOf } from '../../support/job-store/subject.js';
export { outcomeOf } from './connect.js';

/** A migrated database of one test file, and one store on it. */
export interface QueueFixture extends QueueProcess {
  url: string;
  /** Folds orders without asking whether the objects exist. */
  order(...orders: (Partial<LaneOrder> & { name: string })[]): Promise<void>;
  /** Empties the tables of the queue. */
  clear(): Promise<void>;
}

export async function openQueue(label: string, options: ConnectOptions = {}): Promise<QueueFixture> {
  const testDatabase = await createTestDatabase(label);
  const process = await connectQueue(testDatabase.url, options);
  await migrate(process.database.dataSource);
  return {
    ...process,
    url: testDatabase.url,
    order: async (...orders) => {
      const complete = orders.map((order) => orderOf(order));
      const lanes = await orderLanes(process.database, complete);
      process.wakeups.wake({ lanes, fanOuts: false });
    },
    clear: async () => {
      await process.database.query('TRUNCATE lanes, lane_payloads, workers, fan_outs, objects CASCADE');
    },
    close: async () => {
      await process.close();
      await testDatabase.drop();
    },
  };
}

/** Claims the lanes of a worker that has a long lease. */
export async function claimAll(
  { store }: Pick<QueueFixture, 'store'>,
  worker: string,
  limit = 10,
): Promise<Claim[]> {
  return store.claim({ worker, limit, periodic: true });
}

/** Waits until the condition holds, and fails with what it last saw. */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
  holds: (value: T) => boolean,
  withinMs = 40_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (holds(value)) return value;
    if (performance.now() > deadline) throw new Error(`${what}: still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
