import { describe, expect, test } from 'vitest';
import { keyOf, outcomeOf, type Bench } from './subject.js';

const A = keyOf('a');

export function suspensionsConformance(bench: () => Bench): void {
  describe('a suspended lane', () => {
    test('keeps what is ordered until it is resumed, and holds nobody else back', async () => {
      const { store } = bench();
      await bench().order({ name: 'a' }, { name: 'b' });
      expect(await store.suspend(A, true)).toBe(true);
      expect(await bench().claimOne()).toMatchObject({ name: 'b' });
      expect(await store.nextDueMs(5_000)).toBe(5_000);
      await bench().order({ name: 'a', generation: 2 });
      expect(await bench().claim()).toEqual([]);
      expect(await store.find(A)).toMatchObject({ state: 'suspended', reason: 'Suspended', generation: 2 });

      expect(await store.suspend(A, false)).toBe(true);
      expect(await store.nextDueMs(5_000)).toBe(0);
      expect(await store.find(A)).toMatchObject({ state: 'waiting' });
      expect(await bench().claimOne()).toMatchObject({ name: 'a', generation: 2 });
    });

    test('lets the run that is under way end as it would', async () => {
      const { store } = bench();
      await bench().order({ name: 'a' });
      const claim = await bench().claimOne();
      await store.suspend(A, true);
      expect(await store.find(A)).toMatchObject({ state: 'running' });
      await bench().order({ name: 'a', generation: 3 });
      expect(await store.complete(claim, outcomeOf())).toEqual({ fenced: false, again: true });
      expect(await bench().claim()).toEqual([]);
      await store.suspend(A, false);
      expect(await bench().claimOne()).toMatchObject({ generation: 3 });
    });

    test('is listed by its state, and suspended or resumed twice stays as it is', async () => {
      const { store } = bench();
      await bench().order({ name: 'a' }, { name: 'b' });
      await store.suspend(A, true);
      await store.suspend(A, true);
      const { items } = await store.list({ state: 'suspended', limit: 10 });
      expect(items.map(({ name }) => name)).toEqual(['a']);
      await store.suspend(A, false);
      await store.suspend(A, false);
      expect((await store.list({ state: 'suspended', limit: 10 })).items).toEqual([]);
    });

    test('wakes those who wait for work when it is resumed, and tells of no order: a run goes on', async () => {
      const { store } = bench();
      await bench().order({ name: 'a' });
      await store.suspend(A, true);
      const woken: unknown[] = [];
      const stop = store.onWake((hint) => woken.push(hint));
      await store.suspend(A, false);
      stop();
      expect(woken).toEqual([{ lanes: [], fanOuts: false }]);
    });

    test('is one of a stored object: there is none of what does not exist, or was posted', async () => {
      const { store } = bench();
      expect(await store.suspend(keyOf('nobody'), true)).toBe(false);
      await bench().post('posted', '1');
      expect(await store.suspend(keyOf('posted'), true)).toBe(false);
      expect(await bench().claimOne()).toMatchObject({ name: 'posted' });
    });
  });
}
