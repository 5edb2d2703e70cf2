import { beforeEach, expect, test } from 'vitest';
import type { KnownObject } from '../../../src/modes/k8s/lanes/index.js';
import {
  Bench,
  HOUR_MS,
  keyOf,
  outcomeOf,
  recordedOutcome,
  WORKER,
} from '../../support/job-store/subject.js';
import { openMemoryLanes, type MemorySubject } from './subject.js';

const INTERVAL_MS = 1_800_000;

let subject: MemorySubject;
let bench: Bench;
beforeEach(async () => {
  subject = openMemoryLanes();
  bench = new Bench(subject);
});

function known(
  name: string,
  result?: 'succeeded' | 'retry' | 'waiting',
  part: Partial<KnownObject> = {},
): KnownObject {
  const code = { succeeded: 'Succeeded', retry: 'ProviderFailed', waiting: 'SolutionNotFound' } as const;
  return {
    ...keyOf(name),
    generation: 1,
    action: 'update',
    intervalMs: INTERVAL_MS,
    ...(result ? { last: { result, reason: { code: code[result], message: 'As before.' } } } : {}),
    ...part,
  };
}

async function lead(...objects: KnownObject[]): Promise<void> {
  await subject.exist(objects);
  subject.store.lead(2, objects);
  await subject.store.register(WORKER, 24 * HOUR_MS);
}

const names = Array.from({ length: 400 }, (_, i) => `n${i}`);
/** Due times from now, in shares of the interval. */
const shares = () => Promise.all(names.map(async (name) => (await bench.dueInMs(name)) / INTERVAL_MS));

test('what has not changed is looked at at any time within its interval', async () => {
  await lead(...names.map((name) => known(name, 'succeeded')));
  expect(await bench.claim(400)).toEqual([]);
  const waits = await shares();
  expect(Math.min(...waits)).toBeLessThan(0.1);
  expect(Math.max(...waits)).toBeGreaterThan(0.9);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1.001);
  const half = waits.filter((wait) => wait < 0.5).length;
  expect(half).toBeGreaterThan(150);
  expect(half).toBeLessThan(250);
  await subject.pass(INTERVAL_MS);
  expect(await bench.claim(400)).toHaveLength(400);
});

test('later runs of it lie within a tenth of the interval, as before', async () => {
  await lead(...names.map((name) => known(name, 'succeeded')));
  await subject.pass(INTERVAL_MS);
  for (const claim of await bench.claim(400)) {
    await subject.store.complete(claim, outcomeOf({ nextRunMs: INTERVAL_MS }));
  }
  const waits = await shares();
  expect(Math.min(...waits)).toBeGreaterThan(0.89);
  expect(Math.max(...waits)).toBeLessThan(1.101);
});

test('what is not periodic and has not changed waits for an order', async () => {
  await lead(known('once', 'succeeded', { intervalMs: undefined }));
  expect(await subject.store.find(keyOf('once'))).toMatchObject({ state: 'idle', reason: 'Succeeded' });
  expect(await subject.store.nextDueMs(HOUR_MS)).toBe(HOUR_MS);
});

test('what has changed, is new or has to go is due at once, in that order of urgency with all others', async () => {
  await lead(
    known('well', 'succeeded'),
    known('changed', undefined, { generation: 3 }),
    known('going', undefined, { action: 'delete' }),
  );
  const claims = await bench.claim();
  expect(claims).toMatchObject([
    { name: 'changed', generation: 3, action: 'update', cause: 'person' },
    { name: 'going', action: 'delete' },
  ]);
});

test('what keeps failing goes on with its backoff; where that is not known it does not hurry', async () => {
  await lead(
    known('few', 'retry', {
      last: { result: 'retry', reason: { code: 'ProviderFailed', message: '' }, attempts: 1 },
    }),
    ...names.map((name) => known(name, 'retry')),
  );
  expect(await bench.dueInMs('few')).toBeLessThan(2_100);
  expect(await subject.store.find(keyOf('few'))).toMatchObject({
    state: 'waiting',
    cause: 'retry',
    attempts: 1,
  });
  await subject.pass(3_000);
  // Not all four hundred of them in the first seconds.
  expect((await bench.claim(500)).length).toBeLessThan(30);
});

test('what waits for a change is shown as before, and looked at when it would have been', async () => {
  await lead(known('a', 'waiting'));
  expect(await subject.store.find(keyOf('a'))).toMatchObject({
    state: 'stalled',
    reason: 'SolutionNotFound',
    message: 'As before.',
    cause: 'periodic',
  });
});

test('the hash of what was reached goes along, so that an order of a dependent may find nothing to do', async () => {
  await lead(known('a', 'succeeded', { lastHash: 'h' }));
  await bench.order({ name: 'a', cause: 'dependent' });
  expect((await bench.claimOne()).lastHash).toBe('h');
});

test('an order of before is not waited for any more: the lane tells that it has run', async () => {
  await lead(known('a', 'succeeded'));
  const view = await subject.store.find(keyOf('a'));
  expect(view?.doneSeq).toBe(view?.orderSeq);
});

test('a run for each dependent that finds nothing new leaves the looks at the targets where they were', async () => {
  await lead(...names.map((name) => known(name, 'succeeded', { lastHash: 'h' })));
  const before = await shares();
  await bench.order(...names.map((name) => ({ name, cause: 'dependent' as const })));
  const unchanged = outcomeOf({ nextRunMs: INTERVAL_MS, deploymentHash: 'h' }, 'UpToDate');
  for (const claim of await bench.claim(400)) await subject.store.complete(claim, unchanged);
  const after = await shares();
  // None later than before; those at the end of the interval perhaps a tenth of it earlier.
  const moved = after.map((share, i) => share - (before[i] ?? 0));
  expect(Math.max(...moved)).toBeLessThan(0.01);
  expect(Math.min(...moved)).toBeGreaterThan(-0.11);
});

test('a run that a person ordered, or that did something, is a look: the next one is an interval later', async () => {
  await lead(...names.map((name) => known(name, 'succeeded')));
  await bench.order(
    ...names.map((name, i) => ({ name, cause: i % 2 ? ('person' as const) : ('dependent' as const) })),
  );
  for (const claim of await bench.claim(400)) {
    const outcome = claim.cause === 'person' ? outcomeOf : recordedOutcome;
    await subject.store.complete(claim, outcome({ nextRunMs: INTERVAL_MS }));
  }
  expect(Math.min(...(await shares()))).toBeGreaterThan(0.89);
});
