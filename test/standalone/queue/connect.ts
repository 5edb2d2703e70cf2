import type { ReasonCode } from '@symphony/model';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import {
  PostgresJobStore,
  PostgresWakeups,
  type OutcomeWriter,
  type PostgresJobStoreOptions,
} from '../../../src/modes/standalone/stores/jobs/index.js';
import type { RunOutcome } from '../../../src/modules/queue/index.js';

/** What one engine process has: a pool, wake-ups and a store. Also used outside of the test runner. */
export interface QueueProcess {
  database: Database;
  store: PostgresJobStore;
  wakeups: PostgresWakeups;
  close(): Promise<void>;
}

export interface ConnectOptions extends PostgresJobStoreOptions {
  write?: OutcomeWriter;
  poolSize?: number;
}

export async function connectQueue(
  url: string,
  { write = () => Promise.resolve(), poolSize = 10, ...options }: ConnectOptions = {},
): Promise<QueueProcess> {
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

export function outcomeOf(outcome: Partial<RunOutcome> = {}, code: ReasonCode = 'Succeeded'): RunOutcome {
  return { result: 'succeeded', reason: { code, message: code }, ...outcome };
}
