import { describe, expect, test } from 'vitest';
import { FencedError, LeaseLostError } from '../../../src/modules/queue/index.js';
import { HOUR_MS, keyOf, outcomeOf, recordedOutcome, WORKER, type Bench } from './subject.js';

const FENCED = { fenced: true, again: false };
const LEASE_MS = 5_000;

export function workersConformance(bench: () => Bench): void {
  /** A lane that a worker with a short lease holds. */
  const claimedBy = async (worker: string) => {
    await bench().order({ name: 'a' });
    await bench().store.register(worker, LEASE_MS);
    return bench().claimOne(worker);
  };

  describe('heartbeat', () => {
    test('extends the lease of everything that the worker holds', async () => {
      const claim = await claimedBy('w');
      for (let i = 0; i < 4; i++) {
        await bench().subject.pass(LEASE_MS - 1_000);
        expect(await bench().store.heartbeat('w', LEASE_MS)).toEqual({ held: [claim.fence], superseded: [] });
        expect(await bench().store.takeOver(0)).toBe(0);
      }
    });

    test('names the lanes with an order newer than their claim', async () => {
      await bench().order({ name: 'a' }, { name: 'b' });
      const claims = await bench().claim();
      await bench().order({ name: 'b', generation: 2 });
      const { held, superseded } = await bench().store.heartbeat(WORKER, HOUR_MS);
      expect(new Set(held)).toEqual(new Set(claims.map((claim) => claim.fence)));
      expect(superseded).toEqual(claims.filter((claim) => claim.name === 'b').map((claim) => claim.fence));
    });

    test('is refused once the lease has ended, taken over or not', async () => {
      await claimedBy('w');
      await bench().subject.pass(LEASE_MS + 1);
      await expect(bench().store.heartbeat('w', LEASE_MS)).rejects.toThrow(LeaseLostError);
      await bench().store.takeOver(0);
      await expect(bench().store.heartbeat('w', LEASE_MS)).rejects.toThrow(LeaseLostError);
      await expect(bench().store.heartbeat('never', LEASE_MS)).rejects.toThrow(LeaseLostError);
    });
  });

  describe('release', () => {
    test('frees what the worker holds, at once, and trusts nothing that was reached before', async () => {
      await bench().run('a', outcomeOf({ deploymentHash: 'h' }));
      await bench().order({ name: 'a', cause: 'dependent' });
      const claim = await bench().claimOne();
      expect(claim.lastHash).toBe('h');
      await bench().store.release(WORKER, [claim.fence]);
      await expect(bench().subject.assertFence(claim.fence)).rejects.toThrow(FencedError);
      const next = await bench().claimOne();
      expect(next).toMatchObject({ cause: 'dependent', seq: claim.seq });
      expect(next.lastHash).toBeUndefined();
      expect(next.fence.epoch).toBeGreaterThan(claim.fence.epoch);
    });

    test('leaves alone what is completed, claimed anew, or held by another worker', async () => {
      const old = await bench().run('a');
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      await bench().store.release(WORKER, [old.fence]);
      await bench().store.register('other', HOUR_MS);
      await bench().store.release('other', [claim.fence]);
      expect(await bench().claim()).toEqual([]);
      await bench().subject.assertFence(claim.fence);
    });
  });

  describe('takeOver', () => {
    test('waits for the lease and the grace, then frees all lanes of the dead worker', async () => {
      const claim = await claimedBy('w');
      const before: string[] = [];
      const takeOver = () =>
        bench().store.takeOver(2_000, async () => {
          before.push('asked');
          // Nothing is freed yet.
          expect(await bench().claim()).toEqual([]);
        });
      await bench().subject.pass(LEASE_MS - 1_000);
      expect(await takeOver()).toBe(0);
      await bench().subject.pass(2_500);
      expect(await takeOver()).toBe(0);
      expect(before).toEqual([]);
      await bench().subject.pass(600);
      expect(await takeOver()).toBe(1);
      expect(before).toEqual(['asked']);
      expect(await takeOver()).toBe(0);
      expect(await bench().claimOne()).toMatchObject({ seq: claim.seq, cause: 'person' });
    });

    test('what the dead worker writes afterwards is refused, before and after the next claim', async () => {
      const { writer } = bench().subject;
      const claim = await claimedBy('w');
      await bench().subject.pass(LEASE_MS + 1);
      await bench().store.takeOver(0);
      const tries = async () => {
        expect(await bench().store.complete(claim, outcomeOf())).toEqual(FENCED);
        expect(await bench().store.complete(claim, recordedOutcome())).toEqual(FENCED);
        expect(await bench().store.complete(claim, recordedOutcome({ result: 'removed' }))).toEqual(FENCED);
        await expect(bench().subject.assertFence(claim.fence)).rejects.toThrow(FencedError);
      };
      await tries();
      const next = await bench().claimOne();
      await tries();
      expect(writer.written).toEqual([]);
      await bench().subject.assertFence(next.fence);
      expect(await bench().store.complete(next, recordedOutcome())).toEqual({ fenced: false, again: false });
      expect(writer.written).toEqual(['a']);
    });

    test('an order that came during the run of the dead worker is covered by the next', async () => {
      await claimedBy('w');
      await bench().order({ name: 'a', generation: 2 });
      await bench().subject.pass(LEASE_MS + 1);
      await bench().store.takeOver(0);
      const claim = await bench().claimOne();
      expect(claim.generation).toBe(2);
      expect(await bench().store.complete(claim, outcomeOf())).toEqual({ fenced: false, again: false });
    });
  });

  describe('retire', () => {
    test('frees the lanes of the worker at once, which gets no more', async () => {
      const claim = await claimedBy('w');
      await bench().store.retire('w');
      await bench().store.retire('never');
      expect(await bench().claim(5, 'w')).toEqual([]);
      expect(await bench().store.complete(claim, outcomeOf())).toEqual(FENCED);
      expect(await bench().claimOne()).toMatchObject({ seq: claim.seq });
    });

    test('all others, by one who knows that nobody else can have the store', async () => {
      await claimedBy('w');
      await bench().order({ name: 'b' });
      const mine = await bench().claimOne();
      expect(await bench().store.retireOthers(WORKER)).toBe(1);
      await bench().subject.assertFence(mine.fence);
      expect((await bench().claimOne()).name).toBe('a');
      await expect(bench().store.heartbeat('w', LEASE_MS)).rejects.toThrow(LeaseLostError);
    });

    test('a worker that ends while its outcome is being written loses neither the outcome nor the lane', async () => {
      const { writer } = bench().subject;
      const claim = await claimedBy('w');
      let retired: Promise<void> = Promise.resolve();
      // Not awaited there: a database lets it wait until the outcome is written.
      writer.before = async () => {
        retired = bench().store.retire('w');
        expect(await bench().claim()).toEqual([]);
      };
      const result = await bench().store.complete(claim, recordedOutcome());
      await retired;
      expect(result).toEqual({ fenced: false, again: false });
      expect(writer.written).toEqual(['a']);
      expect(await bench().claim()).toEqual([]);
      expect(await bench().store.find(keyOf('a'))).toMatchObject({ state: 'idle' });
    });
  });
}
