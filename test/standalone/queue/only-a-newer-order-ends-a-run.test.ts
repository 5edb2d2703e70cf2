import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { orderLanes } from '../../../src/modes/standalone/stores/jobs/index.js';
import type { JobManager, OrderedLane, RunControl } from '../../../src/modules/queue/index.js';
import { Latch } from '../../../src/modules/queue/latch.js';
import { startManager } from './manager.js';
import { keyOf, openQueue, orderOf, outcomeOf, until, type QueueFixture } from './support.js';

const SHOP = keyOf('shop');

let queue: QueueFixture;
let manager: JobManager | undefined;
beforeAll(async () => {
  queue = await openQueue('only_a_newer_order');
});
afterAll(() => queue.close());
beforeEach(() => queue.clear());
afterEach(() => manager?.stop());

/** Each run goes on until it is let end, or is cut. */
function slowRuns() {
  const end = new Latch();
  const runs: { control: RunControl; cut: boolean }[] = [];
  manager = startManager(
    queue.store,
    async (_claim, control) => {
      const run = { control, cut: false };
      runs.push(run);
      await end.wait(30_000, AbortSignal.any([control.superseded, control.stop]));
      run.cut = control.superseded.aborted;
      return run.cut ? outcomeOf({ result: 'yielded' }, 'Superseded') : outcomeOf();
    },
    // What is seen at a renewal is told by the store: the next one by itself comes after the test.
    { leaseMs: 60_000, pollMs: 20 },
  );
  const ended = () =>
    until(
      'ended',
      () => queue.store.find(SHOP),
      (lane) => lane?.state === 'idle',
    );
  return { runs, end, ended };
}

const begun = (runs: unknown[], count: number) =>
  until(
    'begun',
    () => runs.length,
    (n) => n === count,
  );

test.for([true, false])('a resumption cuts no run under way; suspended before: %s', async (suspended) => {
  const { runs, end, ended } = slowRuns();
  await queue.order({ name: 'shop' });
  await begun(runs, 1);
  if (suspended) await queue.store.suspend(SHOP, true);
  expect(await queue.store.suspend(SHOP, false)).toBe(true);
  // Whatever it tells is told by now, also what the store says at the renewal that it hastens.
  await new Promise((resolve) => setTimeout(resolve, 300));
  end.open();
  await ended();
  expect(runs.map(({ cut }) => cut)).toEqual([false]);
});

test.for(['with its number', 'without'])(
  'an order that is told of %s after its run has begun does not cut that run',
  async (how) => {
    const { runs, end, ended } = slowRuns();
    // Committed, and found by a poll before the acknowledgement of the commit is here.
    const [lane] = await orderLanes(queue.database, [orderOf({ name: 'shop' })]);
    await begun(runs, 1);
    const told: OrderedLane | undefined = how === 'without' ? SHOP : lane;
    queue.wakeups.wake({ lanes: told ? [told] : [], fanOuts: false });
    await new Promise((resolve) => setTimeout(resolve, 300));
    end.open();
    await ended();
    expect(runs.map(({ cut }) => cut)).toEqual([false]);
  },
);

test.for(['with its number', 'without'])('a newer order ends the run at once, told of %s', async (how) => {
  const { runs, end } = slowRuns();
  await queue.order({ name: 'shop' });
  await begun(runs, 1);
  const [lane] = await orderLanes(queue.database, [orderOf({ name: 'shop', generation: 2 })]);
  const told: OrderedLane | undefined = how === 'without' ? SHOP : lane;
  queue.wakeups.wake({ lanes: told ? [told] : [], fanOuts: false });
  await begun(runs, 2);
  expect(runs[0]?.cut).toBe(true);
  end.open();
});
