import { UnavailableError } from '@symphony/model';
import { beforeEach, expect, test } from 'vitest';
import { FencedError, LeaseLostError } from '../../../src/modules/queue/index.js';
import { Latch } from '../../../src/modules/queue/latch.js';
import {
  Bench,
  HOUR_MS,
  keyOf,
  orderOf,
  outcomeOf,
  recordedOutcome,
  WORKER,
} from '../../support/job-store/subject.js';
import { startManager } from '../../standalone/queue/manager.js';
import { openMemoryLanes, type MemorySubject } from './subject.js';

const FENCED = { fenced: true, again: false };

let subject: MemorySubject;
let bench: Bench;
beforeEach(async () => {
  subject = openMemoryLanes();
  bench = new Bench(subject);
  await subject.store.register(WORKER, HOUR_MS);
});

test('when the leadership is lost every claim is fenced at once, and its worker has lost its lease', async () => {
  await bench.order({ name: 'a' }, { name: 'b' });
  const [claim] = await bench.claim(1);
  if (!claim) throw new Error('nothing was claimed');
  subject.store.drop();
  expect(() => subject.store.assertFence(claim.fence)).toThrow(FencedError);
  await expect(subject.store.heartbeat(WORKER, HOUR_MS)).rejects.toThrow(LeaseLostError);
  expect(await subject.store.complete(claim, recordedOutcome())).toEqual(FENCED);
  expect(subject.writer.written).toEqual([]);
});

test('a replica that does not lead gives no claims, refuses orders and questions, and waits as long as it may', async () => {
  subject.store.drop();
  const { store } = subject;
  await store.register('w', HOUR_MS);
  expect(await bench.claim(5, 'w')).toEqual([]);
  expect(await store.heartbeat('w', HOUR_MS)).toEqual({ held: [], superseded: [] });
  expect(await store.nextDueMs(7_000)).toBe(7_000);
  expect(await store.expandFanOuts(5)).toBe(false);
  for (const refused of [
    () => store.order([orderOf({ name: 'a' })]),
    () => bench.post('p', '1'),
    () => store.find(keyOf('a')),
    () => store.list({ limit: 5 }),
    () => store.isDone(keyOf('a'), '1'),
    () => subject.fanOut({ kind: 'Solution', namespace: 'default', name: 'app', uid: 'u' }),
  ]) {
    await expect(refused()).rejects.toMatchObject({ constructor: UnavailableError, code: 'NotLeader' });
  }
});

test('a claim of an earlier term stays refused when the same process leads again, and the new epochs are greater', async () => {
  await bench.order({ name: 'a' });
  const old = await bench.claimOne();
  subject.store.drop();
  let newest = old.fence.epoch;
  // The second time in the term that it had: whoever leads without a change of the Lease.
  for (const term of [2, 2, 3]) {
    subject.store.lead(term, [{ ...keyOf('a'), generation: 1, action: 'update' }]);
    await subject.store.register('w', HOUR_MS);
    const claim = await bench.claimOne('w');
    expect(claim.fence.epoch).toBeGreaterThan(newest);
    expect(Number.isSafeInteger(claim.fence.epoch)).toBe(true);
    newest = claim.fence.epoch;
    expect(await subject.store.complete(old, outcomeOf())).toEqual(FENCED);
    await subject.store.release(WORKER, [old.fence]);
    subject.store.assertFence(claim.fence);
  }
});

test('an outcome that is being written when the leadership is lost is told to stop, and does not count', async () => {
  const writing = new Latch();
  let stopped: AbortSignal | undefined;
  subject = openMemoryLanes({
    write: async (_claim, _outcome, stop) => {
      stopped = stop;
      await writing.wait(30_000, stop);
      return false;
    },
  });
  bench = new Bench(subject);
  await subject.store.register(WORKER, HOUR_MS);
  await bench.order({ name: 'a' });
  const completion = subject.store.complete(await bench.claimOne(), recordedOutcome());
  await Promise.resolve();
  subject.store.drop();
  expect(stopped?.aborted).toBe(true);
  expect(await completion).toEqual(FENCED);
});

test('a process that stood still past its term finds out by the clock, whatever asks first', async () => {
  let live = true;
  const asks: [string, () => Promise<unknown>][] = [
    ['a writer', async () => subject.store.assertFence(claim.fence)],
    ['a heartbeat', () => subject.store.heartbeat(WORKER, HOUR_MS)],
    ['an order', () => subject.store.order([orderOf({ name: 'b' })])],
    ['a question', () => subject.store.find(keyOf('a'))],
  ];
  let claim = await begin();
  for (const [who, ask] of asks) {
    live = false;
    await expect(ask(), who).rejects.toThrow();
    claim = await begin();
  }
  live = false;
  expect(await bench.claim()).toEqual([]);
  expect(subject.store.leading).toBe(false);
  claim = await begin();
  live = false;
  expect(await subject.store.complete(claim, recordedOutcome())).toEqual(FENCED);
  expect(subject.writer.written).toEqual([]);
  claim = await begin();
  subject.writer.before = async () => void (live = false);
  expect(await subject.store.complete(claim, recordedOutcome())).toEqual(FENCED);

  /** A term in which `a` is claimed and `b` waits. */
  async function begin() {
    live = true;
    await subject.exist([keyOf('a'), keyOf('b')]);
    const known = (name: string) => ({ ...keyOf(name), generation: 1, action: 'update' as const });
    subject.store.lead(2, [known('a'), known('b')], () => live);
    await subject.store.register(WORKER, HOUR_MS);
    const [first] = await bench.claim(1);
    if (!first) throw new Error('nothing was claimed');
    return first;
  }
});

test('who waits for a posted deployment is told that its leader is gone, not that it ran', async () => {
  const seq = await bench.post('p', '1');
  const finished = subject.waker.nextFinished(30_000);
  subject.store.drop();
  await finished;
  subject.store.lead(2, []);
  await expect(subject.store.isDone(keyOf('p'), seq)).rejects.toMatchObject({ code: 'LeaderChanged' });
});

test('the job manager stops its runs long before their lease would end, and serves again with the next term', async () => {
  const runs: { epoch: number; stopped: boolean }[] = [];
  const begun = new Latch();
  const manager = startManager(
    subject.store,
    async ({ fence, generation }, { stop }) => {
      const run = { epoch: fence.epoch, stopped: false };
      runs.push(run);
      begun.open();
      if (generation === 1) await new Latch().wait(30_000, stop);
      run.stopped = stop.aborted;
      begun.open();
      return outcomeOf();
    },
    { leaseMs: 30_000, pollMs: 30_000 },
  );
  try {
    await bench.order({ name: 'a' });
    await begun.wait(10_000);
    const lostAt = performance.now();
    subject.store.drop();
    await begun.wait(10_000);
    expect(runs).toMatchObject([{ stopped: true }]);
    expect(performance.now() - lostAt).toBeLessThan(2_000);

    subject.store.lead(2, [{ ...keyOf('a'), generation: 2, action: 'update' }]);
    await begun.wait(10_000);
    expect(runs).toMatchObject([{ stopped: true }, { stopped: false }]);
    expect(runs[1]?.epoch).toBeGreaterThan(runs[0]?.epoch ?? Infinity);
  } finally {
    await manager.stop();
  }
});
