import { UnavailableError } from '@symphony/model';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobManager } from '../../../src/modules/queue/index.js';
import { quiet, startManager } from './manager.js';
import { claimAll, keyOf, openQueue, outcomeOf, until, type QueueFixture } from './support.js';

let queue: QueueFixture;
let manager: JobManager | undefined;
beforeAll(async () => {
  queue = await openQueue('take_over_fails');
});
afterAll(() => queue.close());
beforeEach(() => queue.clear());
afterEach(() => manager?.stop());

/** A lane of a worker that was never heard of again. */
async function orphanedLane(): Promise<void> {
  await queue.store.register('dead', 200);
  await queue.order({ name: 'left' });
  expect(await claimAll(queue, 'dead')).toHaveLength(1);
}

const ranAgain = () =>
  until(
    'run again',
    () => queue.store.find(keyOf('left')),
    (lane) => lane?.state === 'idle',
  );

/** What is warned of, as `message: cause`. */
function warnings(): { told: string[]; log: typeof quiet } {
  const told: string[] = [];
  const warn = ({ msg }: { msg: string }, error?: unknown): void =>
    void told.push(error instanceof Error ? `${msg}: ${error.message}` : msg);
  return { told, log: { ...quiet, warn } };
}

test('what cannot be ended holds no lane back, and is told', async () => {
  const { told, log } = warnings();
  await orphanedLane();
  manager = startManager(
    queue.store,
    () => outcomeOf(),
    { leaseMs: 600, pollMs: 20, log },
    () => Promise.reject(new Error('EACCES: processes')),
  );
  await ranAgain();
  expect(told).toContain(
    'What a worker that is gone left running could not be looked through: EACCES: processes',
  );
});

test('a take-over that keeps failing is told once for each cause, and succeeds when it can', async () => {
  const { told, log } = warnings();
  await orphanedLane();
  const failures = [
    new UnavailableError('The database is away.'),
    ...Array.from({ length: 3 }, () => new Error('permission denied')),
    new Error('a bug'),
    new Error('permission denied'),
  ];
  const store = new Proxy(queue.store, {
    get: (real, name) => {
      if (name === 'takeOver' && failures.length > 0)
        return () => Promise.reject(failures.shift() ?? new Error());
      const value: unknown = Reflect.get(real, name, real);
      return typeof value === 'function' ? (value.bind(real) as unknown) : value;
    },
  });
  manager = startManager(store, () => outcomeOf(), { leaseMs: 600, pollMs: 20, log });
  await ranAgain();
  expect(failures).toEqual([]);
  expect(told.filter((line) => line.includes('could not be taken over'))).toEqual([
    'The lanes of workers that are gone could not be taken over, trying again: permission denied',
    'The lanes of workers that are gone could not be taken over, trying again: a bug',
  ]);
});
