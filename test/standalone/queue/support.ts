import type { ReasonCode } from '@symphony/model';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import {
  orderLanes,
  PostgresJobStore,
  PostgresWakeups,
  type OutcomeWriter,
  type PostgresJobStoreOptions,
} from '../../../src/modes/standalone/stores/jobs/index.js';
import type { Claim, LaneKey, LaneOrder, RunOutcome } from '../../../src/modules/queue/index.js';
import { createTestDatabase } from '../../support/postgres.js';

/** A migrated database of one test file, and one store on it. */
export interface QueueFixture {
  url: string;
  database: Database;
  store: PostgresJobStore;
  wakeups: PostgresWakeups;
  /** Folds orders without asking whether the objects exist. */
  order(...orders: (Partial<LaneOrder> & { name: string })[]): Promise<void>;
  /** Empties the tables of the queue. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export interface FixtureOptions extends PostgresJobStoreOptions {
  write?: OutcomeWriter;
  poolSize?: number;
}

export async function openQueue(label: string, options: FixtureOptions = {}): Promise<QueueFixture> {
  const testDatabase = await createTestDatabase(label);
  const process = await connectQueue(testDatabase.url, options);
  await migrate(process.database.dataSource);
  return {
    ...process,
    url: testDatabase.url,
    order: async (...orders) => {
      const complete = orders.map((order) => orderOf(order));
      await orderLanes(process.database, complete);
      process.wakeups.wake({ lanes: complete, fanOuts: false });
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

/** What one engine process has: a pool, wake-ups and a store. */
export async function connectQueue(
  url: string,
  { write = () => Promise.resolve(), poolSize = 10, ...options }: FixtureOptions = {},
): Promise<Pick<QueueFixture, 'database' | 'store' | 'wakeups' | 'close'>> {
  const dataSource = createDataSource({ url, poolSize, applicationName: 'queue-test' });
  await dataSource.initialize();
  const database = new Database(dataSource);
  const wakeups = new PostgresWakeups({ connection: { connectionString: url } });
  const store = new PostgresJobStore(database, write, wakeups, options);
  return {
    database,
    store,
    wakeups,
    close: async () => {
      await wakeups.stop();
      await dataSource.destroy();
    },
  };
}

export function orderOf(order: Partial<LaneOrder> & { name: string }): LaneOrder {
  return {
    kind: 'Instance',
    namespace: 'default',
    generation: 1,
    action: 'update',
    cause: 'person',
    ...order,
  };
}

export function keyOf(name: string, namespace = 'default'): LaneKey {
  return { kind: 'Instance', namespace, name };
}

export function outcomeOf(outcome: Partial<RunOutcome> = {}, code: ReasonCode = 'Succeeded'): RunOutcome {
  return { result: 'succeeded', reason: { code, message: code }, ...outcome };
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
  withinMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (holds(value)) return value;
    if (performance.now() > deadline) throw new Error(`${what}: still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
