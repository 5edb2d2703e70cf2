import { UnavailableError } from '@symphony/model';
import { describe, expect, test } from 'vitest';
import { FencedError, type RunOutcome } from '../../../src/modules/queue/index.js';
import { HOUR_MS, keyOf, outcomeOf, recordedOutcome, type Bench } from './subject.js';

const FREED = { fenced: false, again: false };
const FENCED = { fenced: true, again: false };

export function completionsConformance(bench: () => Bench): void {
  describe('complete', () => {
    test('a success is looked at again after its interval; without one it is idle', async () => {
      await bench().run('a', outcomeOf({ nextRunMs: HOUR_MS }));
      expect(await bench().store.find(keyOf('a'))).toMatchObject({
        state: 'idle',
        cause: 'periodic',
        reason: 'Succeeded',
        attempts: 0,
      });
      await bench().run('b', outcomeOf());
      const idle = await bench().store.find(keyOf('b'));
      expect(idle).toMatchObject({ state: 'idle', orderSeq: idle?.doneSeq });
      expect(idle?.dueAt).toBeUndefined();
    });

    test('the first periodic run is spread over the interval, later ones lie within a tenth of it', async () => {
      const names = Array.from({ length: 200 }, (_, i) => `n${i}`);
      const waits = async (): Promise<number[]> => {
        await bench().order(...names.map((name) => ({ name })));
        for (const claim of await bench().claim(200)) {
          await bench().store.complete(claim, outcomeOf({ nextRunMs: 1_000_000 }));
        }
        return Promise.all(names.map((name) => bench().dueInMs(name)));
      };
      const first = await waits();
      expect(Math.min(...first)).toBeLessThan(200_000);
      expect(Math.max(...first)).toBeGreaterThan(800_000);
      expect(Math.max(...first)).toBeLessThan(1_000_500);
      const later = await waits();
      expect(Math.min(...later)).toBeGreaterThan(870_000);
      expect(Math.max(...later)).toBeLessThan(1_100_500);
    });

    test("a dependent's run that leaves nothing does not put the periodic look off, one that does something does", async () => {
      const later = { nextRunMs: 100 * HOUR_MS };
      const dependent = async (outcome: RunOutcome): Promise<number> => {
        await bench().order({ name: 'a', cause: 'dependent' });
        await bench().store.complete(await bench().claimOne(), outcome);
        return bench().dueInMs('a');
      };
      await bench().run('a', outcomeOf({ nextRunMs: HOUR_MS }));
      const look = await bench().dueInMs('a');
      expect(look).toBeLessThan(HOUR_MS + 500);
      expect(await dependent(outcomeOf(later))).toBeLessThan(look + 1_000);
      expect(await dependent(outcomeOf(later))).toBeLessThan(look + 1_000);
      expect(await bench().store.find(keyOf('a'))).toMatchObject({ state: 'idle' });
      expect(await dependent(recordedOutcome(later))).toBeGreaterThan(80 * HOUR_MS);
      // There is no look to keep: the periodic run has begun, or there is no interval any more.
      await bench().run('b', outcomeOf(later));
      await bench().order({ name: 'b', cause: 'dependent' });
      await bench().store.complete(await bench().claimOne(), outcomeOf());
      expect((await bench().store.find(keyOf('b')))?.dueAt).toBeUndefined();
    });

    test('a failure is tried again after a backoff that grows with the attempts', async () => {
      await bench().order({ name: 'a' });
      for (let attempts = 1; attempts <= 12; attempts++) {
        const claim = await bench().claimOne();
        await bench().store.complete(claim, outcomeOf({ result: 'retry' }, 'ProviderFailed'));
        const view = await bench().store.find(keyOf('a'));
        expect(view).toMatchObject({ state: 'waiting', cause: 'retry', attempts, reason: 'ProviderFailed' });
        const dueInMs = await bench().dueInMs('a');
        expect(dueInMs).toBeGreaterThan(500);
        expect(dueInMs).toBeLessThanOrEqual(Math.min(300_000, 2_000 * 2 ** (attempts - 1)) + 100);
        expect(await bench().claim()).toEqual([]);
        await bench().subject.pass(300_001);
      }
    });

    test('a failure that knows better when to try again does not try before', async () => {
      await bench().run('a', outcomeOf({ result: 'retry', retryAfterMs: 900_000 }, 'TargetUnavailable'));
      expect(await bench().dueInMs('a')).toBeGreaterThan(890_000);
    });

    test('a run that waits for a change is stalled until the next look or an order', async () => {
      await bench().run('a', outcomeOf({ result: 'waiting', nextRunMs: HOUR_MS * 24 }, 'SolutionNotFound'));
      expect(await bench().store.find(keyOf('a'))).toMatchObject({
        state: 'stalled',
        reason: 'SolutionNotFound',
        message: 'SolutionNotFound',
        cause: 'periodic',
      });
      await bench().order({ name: 'a', generation: 2 });
      expect(await bench().claim()).toHaveLength(1);
    });

    test('a run that made way runs again at once and counts no attempt', async () => {
      await bench().order({ name: 'a', actor: 'ada' });
      const first = await bench().claimOne();
      expect(await bench().store.complete(first, outcomeOf({ result: 'yielded' }, 'Superseded'))).toEqual(
        FREED,
      );
      expect(await bench().store.isDone(keyOf('a'), first.seq)).toBe(false);
      const second = await bench().claimOne();
      expect(second).toMatchObject({ cause: 'person', actor: 'ada', attempts: 0, seq: first.seq });
    });

    test('only a success leaves a hash, which the next claim has', async () => {
      await bench().run('a', outcomeOf({ deploymentHash: 'h1' }));
      expect(await bench().run('a', outcomeOf({ result: 'waiting', deploymentHash: 'h2' }))).toMatchObject({
        lastHash: 'h1',
      });
      expect((await bench().run('a')).lastHash).toBeUndefined();
    });

    test('a lane goes with its object; a lane that is gone has run all that was ordered', async () => {
      await bench().order({ name: 'a', action: 'delete' });
      const claim = await bench().claimOne();
      await bench().subject.vanish(keyOf('a'));
      expect(await bench().store.complete(claim, outcomeOf({ result: 'removed' }))).toEqual(FREED);
      expect(await bench().store.find(keyOf('a'))).toBeUndefined();
      expect(await bench().store.isDone(keyOf('a'), claim.seq)).toBe(true);
    });

    test('a lane stays when its object is there all the same, and is looked at again', async () => {
      await bench().order({ name: 'a', action: 'delete' });
      expect(
        await bench().store.complete(await bench().claimOne(), outcomeOf({ result: 'removed' })),
      ).toEqual(FREED);
      expect(await bench().store.find(keyOf('a'))).toMatchObject({ state: 'waiting', cause: 'retry' });
    });

    test('a lane stays when another deployment was posted during the removal of the one before', async () => {
      await bench().post('p', '1', { action: 'delete' });
      const claim = await bench().claimOne();
      await bench().post('p', '2');
      const result = await bench().store.complete(claim, outcomeOf({ result: 'removed' }));
      expect(result).toEqual({ fenced: false, again: true });
      expect(await bench().claimOne()).toMatchObject({ payload: { jobId: '2' } });
    });

    test('epochs go on growing when a lane goes and comes back', async () => {
      await bench().order({ name: 'a', action: 'delete' });
      const first = await bench().claimOne();
      await bench().subject.vanish(keyOf('a'));
      await bench().store.complete(first, outcomeOf({ result: 'removed' }));
      const second = await bench().run('a');
      const isNewer = second.fence.laneId !== first.fence.laneId || second.fence.epoch > first.fence.epoch;
      expect(isNewer).toBe(true);
      expect(await bench().store.complete(first, outcomeOf())).toEqual(FENCED);
    });

    test('the same completion twice in one moment counts once', async () => {
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      const failure = recordedOutcome({ result: 'retry' });
      const results = await Promise.all([1, 2].map(() => bench().store.complete(claim, failure)));
      expect(results.toSorted((a, b) => Number(a.fenced) - Number(b.fenced))).toEqual([FREED, FENCED]);
      expect((await bench().store.find(keyOf('a')))?.attempts).toBe(1);
      expect(bench().subject.writer.written).toEqual(['a']);
    });

    test('many that end in the same moment are each decided by their own fence and newest order', async () => {
      await bench().order(...Array.from({ length: 30 }, (_, i) => ({ name: `n${i}` })));
      const claims = await bench().claim(30);
      await bench().order({ name: 'n7', generation: 2 });
      const results = await Promise.all(
        claims.map((claim) => {
          const epoch = claim.fence.epoch - Number(claim.name === 'n3');
          return bench().store.complete({ ...claim, fence: { ...claim.fence, epoch } }, outcomeOf());
        }),
      );
      const byName = new Map(claims.map((claim, i) => [claim.name, results[i]]));
      expect(byName.get('n3')).toEqual(FENCED);
      expect(byName.get('n7')).toEqual({ fenced: false, again: true });
      expect(byName.get('n8')).toEqual(FREED);
      expect((await bench().store.find(keyOf('n3')))?.state).toBe('running');
    });

    test('what an outcome leaves behind is written once, before the lane is free', async () => {
      const { writer } = bench().subject;
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      let during: unknown[] = [];
      writer.before = async () => {
        during = [...(await bench().claim()), (await bench().store.find(keyOf('a')))?.state];
      };
      expect(await bench().store.complete(claim, recordedOutcome())).toEqual(FREED);
      expect(during).toEqual(['running']);
      expect(writer.written).toEqual(['a']);
    });

    test('an order that comes while the outcome is written is covered by another run', async () => {
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      let ordered: Promise<void> = Promise.resolve();
      // Not awaited there: a database lets the order wait until the outcome is written.
      bench().subject.writer.before = async () => {
        ordered = bench().order({ name: 'a', generation: 2 });
      };
      expect((await bench().store.complete(claim, recordedOutcome())).fenced).toBe(false);
      await ordered;
      const next = await bench().claimOne();
      expect(next).toMatchObject({ generation: 2, cause: 'person' });
      expect(Number(next.seq)).toBeGreaterThan(Number(claim.seq));
    });

    test('an outcome that cannot be written leaves the lane as it was, to be completed again', async () => {
      const { writer } = bench().subject;
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      writer.before = () => Promise.reject(new UnavailableError('gone'));
      await expect(bench().store.complete(claim, recordedOutcome())).rejects.toThrow(UnavailableError);
      expect(await bench().store.find(keyOf('a'))).toMatchObject({ state: 'running' });
      expect(await bench().claim()).toEqual([]);
      writer.before = () => Promise.resolve();
      expect(await bench().store.complete(claim, recordedOutcome())).toEqual(FREED);
    });

    test('a write that is refused because of a newer epoch fences the completion', async () => {
      const { writer } = bench().subject;
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      writer.before = () => Promise.reject(new FencedError());
      expect(await bench().store.complete(claim, recordedOutcome({ result: 'retry' }))).toEqual(FENCED);
      expect(await bench().store.isDone(keyOf('a'), claim.seq)).toBe(false);
      expect(writer.written).toEqual([]);
    });
  });
}
