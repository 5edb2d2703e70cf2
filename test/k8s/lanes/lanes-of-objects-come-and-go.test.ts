import { UnavailableError } from '@symphony/model';
import { beforeEach, expect, test } from 'vitest';
import { FencedError, type Claim, type Fence, type WakeHint } from '../../../src/modules/queue/index.js';
import type { PendingFanOut } from '../../../src/modes/k8s/lanes/index.js';
import {
  Bench,
  HOUR_MS,
  keyOf,
  outcomeOf,
  recordedOutcome,
  WORKER,
} from '../../support/job-store/subject.js';
import { openMemoryLanes, type MemorySubject } from './subject.js';

let subject: MemorySubject;
let bench: Bench;
async function open(options?: Parameters<typeof openMemoryLanes>[0]): Promise<void> {
  subject = openMemoryLanes(options);
  bench = new Bench(subject);
  await subject.store.register(WORKER, 24 * HOUR_MS);
}
beforeEach(() => open());

/** What a heartbeat tells of a run that is fenced and goes on: it makes way. */
const left = ({ fence }: { fence: Fence }) => ({ held: [fence], superseded: [fence] });

test('a lane that is forgotten fences its run; one of the same name begins anew, when that run has ended', async () => {
  await bench.order({ name: 'a', generation: 9, action: 'delete' });
  const old = await bench.claimOne();
  const hinted: WakeHint[] = [];
  subject.store.onWake((hint) => hinted.push(hint));
  subject.store.forget(keyOf('a'));
  expect(hinted).toEqual([{ lanes: [keyOf('a')], fanOuts: false }]);
  subject.store.forget(keyOf('never-was'));
  expect(() => subject.store.assertFence(old.fence)).toThrow(FencedError);
  expect(await subject.store.heartbeat(WORKER, HOUR_MS)).toEqual(left(old));
  await bench.order({ name: 'a' });
  expect(await bench.claim()).toEqual([]);
  expect(await subject.store.nextDueMs(5_000)).toBe(5_000);
  expect(await subject.store.complete(old, recordedOutcome())).toEqual({ fenced: true, again: false });
  const claim = await bench.claimOne();
  expect(claim).toMatchObject({ generation: 1, action: 'update' });
  expect(claim.fence.epoch).toBeGreaterThan(old.fence.epoch);
  expect(await subject.store.heartbeat(WORKER, HOUR_MS)).toEqual({ held: [claim.fence], superseded: [] });
});

test.each([
  ['released', (old: Claim) => subject.store.release(WORKER, [old.fence])],
  ['taken over', () => subject.pass(25 * HOUR_MS).then(() => subject.store.takeOver(0))],
  ['that of a worker that is gone', () => subject.store.retire(WORKER)],
])('what waits for the run of a forgotten lane begins when that is %s', async (_how, end) => {
  await bench.order({ name: 'a' });
  const old = await bench.claimOne();
  subject.store.forget(keyOf('a'));
  await bench.order({ name: 'a' });
  // Forgotten once more, it still waits.
  subject.store.forget(keyOf('a'));
  await bench.order({ name: 'a' });
  subject.store.setSuspended(keyOf('a'), true);
  subject.store.setSuspended(keyOf('a'), false);
  expect(await bench.claim()).toEqual([]);
  await end(old);
  await subject.store.register('next', HOUR_MS);
  expect(await bench.claimOne('next')).toMatchObject({ name: 'a' });
});

test('of an object that is given up nothing runs any more, until another one has its name', async () => {
  await subject.exist([keyOf('a')]);
  await bench.order({ name: 'a' });
  const old = await bench.claimOne();
  subject.store.close(keyOf('a'));
  expect(() => subject.store.assertFence(old.fence)).toThrow(FencedError);
  expect(await subject.store.heartbeat(WORKER, HOUR_MS)).toEqual(left(old));
  await subject.store.complete(old, recordedOutcome());
  await bench.order({ name: 'a', action: 'delete' });
  expect(await subject.store.find(keyOf('a'))).toBeUndefined();
  expect(await bench.claim()).toEqual([]);
  subject.store.forget(keyOf('a'));
  await bench.order({ name: 'a' });
  expect(await bench.claimOne()).toMatchObject({ action: 'update' });
  subject.store.close(keyOf('a'));
  subject.store.lead(2, [{ ...keyOf('a'), generation: 1, action: 'update' }]);
  await subject.store.register(WORKER, HOUR_MS);
  expect(await bench.claimOne()).toMatchObject({ name: 'a' });
});

test('a removal that is seen before its write is answered is no fence', async () => {
  subject.writer.before = async () => {
    await subject.vanish(keyOf('a'));
    subject.store.forget(keyOf('a'));
  };
  await bench.order({ name: 'a', action: 'delete' });
  const claim = await bench.claimOne();
  const result = await subject.store.complete(claim, outcomeOf({ result: 'removed' }));
  expect(result).toEqual({ fenced: false, again: false });
  expect(await subject.store.isDone(keyOf('a'), claim.seq)).toBe(true);
});

test('a run that was refused by a newer epoch is not repeated at once, and the order is not taken for done', async () => {
  subject.writer.before = () => Promise.reject(new FencedError());
  await bench.order({ name: 'a' });
  const claim = await bench.claimOne();
  await subject.store.complete(claim, recordedOutcome());
  expect(await subject.store.find(keyOf('a'))).toMatchObject({
    state: 'waiting',
    cause: 'retry',
    attempts: 1,
    reason: 'Interrupted',
  });
  expect(await bench.claim()).toEqual([]);
  await subject.pass(2_001);
  expect(await bench.claimOne()).toMatchObject({ seq: claim.seq });
});

test('a worker that ends while its outcome cannot be written leaves a lane that is due', async () => {
  subject.writer.before = async () => {
    await subject.store.retire(WORKER);
    throw new UnavailableError('away');
  };
  await bench.order({ name: 'a' });
  const claim = await bench.claimOne();
  await expect(subject.store.complete(claim, recordedOutcome())).rejects.toThrow(UnavailableError);
  await subject.store.register('w', HOUR_MS);
  expect(await bench.claimOne('w')).toMatchObject({ seq: claim.seq });
});

test('suspended lanes keep their orders until they are resumed', async () => {
  const { store } = subject;
  // Before its lane is there.
  store.setSuspended(keyOf('a'), true);
  await bench.order({ name: 'a' }, { name: 'b' });
  expect(await bench.claimOne()).toMatchObject({ name: 'b' });
  expect(await store.nextDueMs(5_000)).toBe(5_000);
  await bench.order({ name: 'a', generation: 2 });
  expect(await bench.claim()).toEqual([]);
  store.setSuspended(keyOf('a'), false);
  expect(await store.nextDueMs(5_000)).toBe(0);
  const claim = await bench.claimOne();
  expect(claim).toMatchObject({ name: 'a', generation: 2 });
  // During its run, which ends as it would.
  store.setSuspended(keyOf('a'), true);
  await bench.order({ name: 'a', generation: 3 });
  expect(await store.complete(claim, outcomeOf())).toEqual({ fenced: false, again: true });
  expect(await bench.claim()).toEqual([]);
  store.lead(2, [{ ...keyOf('a'), generation: 3, action: 'update', suspended: true }]);
  expect(await store.nextDueMs(5_000)).toBe(5_000);
  store.setSuspended(keyOf('a'), false);
  expect(await store.nextDueMs(5_000)).toBe(0);
});

test('a page of dependents that cannot be had is asked for again, from where it was', async () => {
  const asked: (string | undefined)[] = [];
  let fails = false;
  await open({
    dependentsOf: async (_fanOut, after) => {
      asked.push(after);
      if (fails) throw new UnavailableError('the cache is not synced');
      const name = after === undefined ? 'a' : 'b';
      return { items: [{ name, generation: 1 }], ...(after === undefined ? { next: 'a' } : {}) };
    },
  });
  await subject.exist([keyOf('a'), keyOf('b')]);
  await subject.fanOut({ kind: 'Solution', namespace: 'default', name: 'app', uid: 'u' });
  expect(await subject.store.expandFanOuts(1)).toBe(true);
  fails = true;
  await expect(subject.store.expandFanOuts(1)).rejects.toThrow(UnavailableError);
  fails = false;
  expect(await subject.store.expandFanOuts(1)).toBe(true);
  expect(await subject.store.expandFanOuts(1)).toBe(false);
  expect(asked).toEqual([undefined, 'a', 'a']);
  expect((await bench.claim()).map((claim) => claim.name)).toEqual(['a', 'b']);
});

test('a fan-out has all the properties that its target had since its dependents were last ordered', async () => {
  const seen: PendingFanOut[] = [];
  await open({
    dependentsOf: (fanOut) => {
      seen.push(structuredClone(fanOut));
      return Promise.resolve({ items: [] });
    },
  });
  const target = { kind: 'Target', namespace: 'default', name: 't', uid: 'u' } as const;
  await subject.fanOut({ ...target, propertiesBefore: { zone: 'a' }, propertiesAfter: { zone: 'b' } });
  await subject.fanOut({ ...target, propertiesBefore: { zone: 'b' }, propertiesAfter: { zone: 'c' } });
  // Of the same name, made anew.
  await subject.fanOut({ ...target, uid: 'v', propertiesAfter: { zone: 'd' } });
  while (await subject.store.expandFanOuts(10));
  expect(seen).toEqual([
    { ...target, properties: [{ zone: 'a' }, { zone: 'b' }, { zone: 'c' }] },
    { ...target, uid: 'v', properties: [{ zone: 'd' }] },
  ]);
});

test('fan-outs go with the term, also the one of which a page is being read', async () => {
  await open({
    dependentsOf: () => {
      subject.store.drop();
      return Promise.resolve({ items: [{ name: 'a', generation: 1 }] });
    },
  });
  await subject.exist([keyOf('a')]);
  await subject.fanOut({ kind: 'Solution', namespace: 'default', name: 'app', uid: 'u' });
  await subject.fanOut({ kind: 'Solution', namespace: 'default', name: 'other', uid: 'v' });
  expect(await subject.store.expandFanOuts(10)).toBe(false);
  subject.store.lead(2, []);
  expect(await subject.store.expandFanOuts(10)).toBe(false);
  expect(await subject.store.list({ limit: 9 })).toEqual({ items: [] });
});

test('figures count lanes by state and reason, what is due by cause and age, fan-outs and workers', async () => {
  await bench.run('idle', outcomeOf({ nextRunMs: HOUR_MS }));
  await bench.run('failing', outcomeOf({ result: 'retry', retryAfterMs: HOUR_MS }, 'ProviderFailed'));
  await bench.order({ name: 'running' });
  await bench.claimOne();
  await bench.order({ name: 'old' }, { name: 't', kind: 'Target' });
  await subject.pass(4_000);
  await bench.order({ name: 'new' }, { name: 'later', delayMs: HOUR_MS });
  await subject.fanOut({ kind: 'Solution', namespace: 'default', name: 'app', uid: 'u' });
  const { lanes, due, fanOuts, workers } = subject.store.figures();
  expect({ fanOuts, workers }).toEqual({ fanOuts: 1, workers: 1 });
  expect(due).toEqual([{ cause: 'person', count: 3, oldestSeconds: 4 }]);
  expect(new Set(lanes)).toEqual(
    new Set([
      { kind: 'Instance', state: 'idle', reason: 'Succeeded', count: 1 },
      { kind: 'Instance', state: 'waiting', reason: 'ProviderFailed', count: 1 },
      { kind: 'Instance', state: 'running', count: 1 },
      { kind: 'Instance', state: 'waiting', count: 3 },
      { kind: 'Target', state: 'waiting', count: 1 },
    ]),
  );
});

test('what was let go and stands, because others keep it, is not run again until it changes', async () => {
  await open({ write: () => Promise.resolve(true) });
  await subject.exist([keyOf('a')]);
  await bench.order({ name: 'a', action: 'delete' });
  await subject.store.complete(await bench.claimOne(), outcomeOf({ result: 'removed' }));
  expect(await subject.store.find(keyOf('a'))).toMatchObject({ state: 'idle', attempts: 0 });
  await subject.pass(HOUR_MS);
  expect(await bench.claim()).toEqual([]);
  await bench.order({ name: 'a', action: 'delete' });
  expect(await bench.claimOne()).toMatchObject({ action: 'delete' });
});

test('what could not be let go yet is tried again ever more rarely', async () => {
  await subject.exist([keyOf('a')]);
  await bench.order({ name: 'a', action: 'delete' });
  for (const attempts of [1, 2, 3]) {
    await subject.store.complete(await bench.claimOne(), outcomeOf({ result: 'removed' }));
    expect(await subject.store.find(keyOf('a'))).toMatchObject({ state: 'waiting', attempts });
    await subject.pass(HOUR_MS);
  }
});
