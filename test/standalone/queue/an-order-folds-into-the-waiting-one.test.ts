import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Cause, LaneAction } from '../../../src/modules/queue/index.js';
import { claimAll, keyOf, openQueue, outcomeOf, type QueueFixture } from './support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('folds');
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  await queue.store.register('w', 60_000);
});

test('many orders are one run, which covers the newest', async () => {
  for (let generation = 1; generation <= 5; generation++) await queue.order({ name: 'a', generation });
  const claims = await claimAll(queue, 'w');
  expect(claims).toHaveLength(1);
  expect(claims[0]).toMatchObject({ name: 'a', generation: 5, action: 'update' });
  expect(await claimAll(queue, 'w')).toEqual([]);
});

test('orders of one batch for one lane fold as well', async () => {
  await queue.order(
    { name: 'a', generation: 2, action: 'delete', cause: 'dependent', actor: 'eve' },
    { name: 'a', generation: 1, cause: 'person', actor: 'ada', delayMs: 60_000 },
  );
  const claims = await claimAll(queue, 'w');
  expect(claims).toMatchObject([{ generation: 2, action: 'delete', cause: 'person', actor: 'ada' }]);
});

interface Row {
  name: string;
  first: { generation?: number; action?: LaneAction; cause?: Cause; delayMs?: number };
  second: { generation?: number; action?: LaneAction; cause?: Cause; delayMs?: number };
  claim: { generation: number; action: LaneAction; cause: Cause } | undefined;
}
const TABLE: Row[] = [
  {
    name: 'the newest generation wins',
    first: { generation: 7 },
    second: { generation: 3 },
    claim: { generation: 7, action: 'update', cause: 'person' },
  },
  {
    name: 'delete beats a later update',
    first: { generation: 2, action: 'delete' },
    second: { generation: 2, cause: 'dependent' },
    claim: { generation: 2, action: 'delete', cause: 'person' },
  },
  {
    name: 'delete beats an earlier update',
    first: { generation: 1 },
    second: { generation: 2, action: 'delete' },
    claim: { generation: 2, action: 'delete', cause: 'person' },
  },
  {
    name: 'the most urgent cause wins',
    first: { cause: 'retry' },
    second: { cause: 'person' },
    claim: { generation: 1, action: 'update', cause: 'person' },
  },
  {
    name: 'a less urgent cause does not take over',
    first: { cause: 'person' },
    second: { cause: 'dependent' },
    claim: { generation: 1, action: 'update', cause: 'person' },
  },
  {
    name: 'the earlier due time wins: delayed, then now',
    first: { delayMs: 600_000 },
    second: {},
    claim: { generation: 1, action: 'update', cause: 'person' },
  },
  {
    name: 'the earlier due time wins: now, then delayed',
    first: {},
    second: { delayMs: 600_000, cause: 'periodic' },
    claim: { generation: 1, action: 'update', cause: 'person' },
  },
  {
    name: 'a delayed order waits',
    first: { delayMs: 600_000 },
    second: { delayMs: 900_000 },
    claim: undefined,
  },
];

for (const { name, first, second, claim } of TABLE) {
  test(name, async () => {
    await queue.order({ name: 'a', ...first });
    await queue.order({ name: 'a', ...second });
    expect(await claimAll(queue, 'w')).toMatchObject(claim ? [claim] : []);
  });
}

test('an order during a run waits for its end and runs at once then', async () => {
  await queue.order({ name: 'a', cause: 'periodic', actor: undefined });
  const [claim] = await claimAll(queue, 'w');
  if (!claim) throw new Error('not claimed');
  await queue.order({ name: 'a', generation: 2, cause: 'dependent' });
  expect(await claimAll(queue, 'w')).toEqual([]);
  expect((await queue.store.heartbeat('w', 60_000)).superseded).toEqual([claim.fence]);
  expect(await queue.store.complete(claim, outcomeOf({ nextRunMs: 600_000 }))).toEqual({
    fenced: false,
    again: true,
  });
  const [next] = await claimAll(queue, 'w');
  expect(next).toMatchObject({ generation: 2, cause: 'dependent', attempts: 0 });
  expect(next?.fence.epoch).toBeGreaterThan(claim.fence.epoch);
});

test('an order ends the backoff of a failing lane, also when it came during the failing run', async () => {
  await queue.order({ name: 'a' });
  const [first] = await claimAll(queue, 'w');
  if (!first) throw new Error('not claimed');
  await queue.store.complete(first, outcomeOf({ result: 'retry' }, 'ProviderFailed'));
  expect(await queue.store.find(keyOf('a'))).toMatchObject({
    state: 'waiting',
    cause: 'retry',
    attempts: 1,
    reason: 'ProviderFailed',
  });
  expect(await claimAll(queue, 'w')).toEqual([]);
  await queue.order({ name: 'a', cause: 'dependent' });
  const [second] = await claimAll(queue, 'w');
  expect(second).toMatchObject({ cause: 'dependent', attempts: 0 });
  if (!second) throw new Error('not claimed');
  await queue.order({ name: 'a' });
  await queue.store.complete(second, outcomeOf({ result: 'retry' }, 'ProviderFailed'));
  expect(await claimAll(queue, 'w')).toMatchObject([{ cause: 'person', attempts: 0 }]);
});

test('a periodic run waits in the same lane, and a person goes before it', async () => {
  await queue.order({ name: 'a' });
  const [first] = await claimAll(queue, 'w');
  if (!first) throw new Error('not claimed');
  await queue.store.complete(first, outcomeOf({ nextRunMs: 600_000, deploymentHash: 'h' }));
  const idle = await queue.store.find(keyOf('a'));
  expect(idle).toMatchObject({ state: 'idle', cause: 'periodic' });
  await queue.order({ name: 'a', actor: 'ada' });
  expect(await claimAll(queue, 'w')).toMatchObject([{ cause: 'person', actor: 'ada', lastHash: 'h' }]);
});

test('the first periodic run is spread over the interval, later ones lie within a tenth of it', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `n${i}`);
  await queue.order(...names.map((name) => ({ name })));
  const waits = async (): Promise<number[]> => {
    for (const claim of await claimAll(queue, 'w', 200)) {
      await queue.store.complete(claim, outcomeOf({ nextRunMs: 1_000_000 }));
    }
    const rows = await queue.database.query<{ ms: number }>(
      `SELECT (extract(epoch FROM due_at - now()) * 1000)::float8 AS ms FROM lanes`,
    );
    return rows.map((row) => row.ms);
  };
  const first = await waits();
  expect(Math.min(...first)).toBeLessThan(200_000);
  expect(Math.max(...first)).toBeGreaterThan(800_000);
  expect(Math.max(...first)).toBeLessThan(1_000_001);
  await queue.order(...names.map((name) => ({ name })));
  const later = await waits();
  expect(Math.min(...later)).toBeGreaterThan(880_000);
  expect(Math.max(...later)).toBeLessThan(1_100_001);
});

test('a run that waits for a change has no retry: it shows as stalled until the next look or an order', async () => {
  await queue.order({ name: 'a' });
  const [first] = await claimAll(queue, 'w');
  if (!first) throw new Error('not claimed');
  await queue.store.complete(
    first,
    outcomeOf({ result: 'waiting', nextRunMs: 3_600_000 }, 'SolutionNotFound'),
  );
  expect(await queue.store.find(keyOf('a'))).toMatchObject({
    state: 'stalled',
    reason: 'SolutionNotFound',
    cause: 'periodic',
  });
  expect(await queue.store.nextDueMs(9_999)).toBe(9_999);
  await queue.order({ name: 'a', generation: 2 });
  expect(await claimAll(queue, 'w')).toHaveLength(1);
});

test('a run that made way runs again at once and counts no attempt', async () => {
  await queue.order({ name: 'a', actor: 'ada' });
  const [first] = await claimAll(queue, 'w');
  if (!first) throw new Error('not claimed');
  await queue.store.complete(first, outcomeOf({ result: 'yielded' }, 'Superseded'));
  expect(await queue.store.isDone(keyOf('a'), first.seq)).toBe(false);
  const [second] = await claimAll(queue, 'w');
  expect(second).toMatchObject({ cause: 'person', actor: 'ada', attempts: 0, seq: first.seq });
});
