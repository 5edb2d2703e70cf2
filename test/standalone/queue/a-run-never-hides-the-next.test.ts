import { afterAll, beforeAll, expect, test } from 'vitest';
import { Latch } from '../../../src/modules/queue/latch.js';
import { outcomeOf } from './connect.js';
import { startManager } from './manager.js';
import { openQueue, until, type QueueFixture } from './support.js';

let queue: QueueFixture;

beforeAll(async () => {
  queue = await openQueue('hides_the_next');
});
afterAll(() => queue.close());

test('a lane claimed again before its completion was answered stays known to its worker', async () => {
  const { store } = queue;
  const answers: (() => void)[] = [];
  const complete = store.complete.bind(store);
  store.complete = async (claim, outcome) => {
    const result = await complete(claim, outcome);
    if (claim.fence.epoch === 1) await new Promise<void>((resolve) => answers.push(resolve));
    return result;
  };
  const begun: number[] = [];
  const second = new Latch();
  const first = new Latch();
  const manager = startManager(
    store,
    async ({ fence }, control) => {
      begun.push(fence.epoch);
      if (fence.epoch === 1) await first.wait(40_000);
      else await second.wait(40_000, control.superseded);
      return outcomeOf({ result: control.superseded.aborted ? 'yielded' : 'succeeded' });
    },
    { pollMs: 50, leaseMs: 9_000 },
  );
  try {
    await queue.order({ name: 'a' });
    await until(
      'the first run',
      () => begun.length,
      (runs) => runs === 1,
    );
    await queue.order({ name: 'a' });
    first.open();
    await until(
      'the second run',
      () => begun.length,
      (runs) => runs === 2,
    );
    await until(
      'the first completion',
      () => answers.length,
      (count) => count === 1,
    );
    answers[0]?.();

    // Several heartbeats: a worker that does not know the run would free its lane, and it would be run a third time.
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(manager.running).toBe(1);
    expect(begun).toEqual([1, 2]);
  } finally {
    second.open();
    await manager.stop();
  }
});
