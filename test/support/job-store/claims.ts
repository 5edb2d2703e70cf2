import { describe, expect, test } from 'vitest';
import type { Cause } from '../../../src/modules/queue/index.js';
import { HOUR_MS, outcomeOf, WORKER, type Bench, type PartialOrder } from './subject.js';

const many = (count: number, namespace: string, cause: Cause): PartialOrder[] =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i}`, namespace, cause }));

/** The next claims, taken so many at a time and completed. */
async function drain(bench: Bench, count: number, limit = 1): Promise<{ namespace: string; cause: Cause }[]> {
  const seen = [];
  while (seen.length < count) {
    const claims = await bench.claim(limit);
    if (claims.length === 0) break;
    for (const claim of claims) {
      seen.push({ namespace: claim.namespace, cause: claim.cause });
      await bench.store.complete(claim, outcomeOf());
    }
  }
  return seen;
}

function countBy<T>(items: readonly T[], key: keyof T): Map<T[keyof T], number> {
  const counts = new Map<T[keyof T], number>();
  for (const item of items) counts.set(item[key], (counts.get(item[key]) ?? 0) + 1);
  return counts;
}

export function claimsConformance(bench: () => Bench): void {
  describe('claim', () => {
    test('takes no more than the limit, and none twice, however many claim at once', async () => {
      await bench().order(...many(60, 'default', 'person'));
      const workers = ['w1', 'w2', 'w3', 'w4'];
      for (const worker of workers) await bench().store.register(worker, HOUR_MS);
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, i) => bench().claim(5, workers[i % workers.length])),
      );
      expect(claims.every((batch) => batch.length <= 5)).toBe(true);
      while (claims.flat().length < 60) {
        const more = await bench().claim(5);
        if (more.length === 0) break;
        claims.push(more);
      }
      expect(new Set(claims.flat().map((claim) => claim.fence.laneId)).size).toBe(60);
      expect(claims.flat()).toHaveLength(60);
    });

    test('raises the epoch of the lane each time', async () => {
      const epochs = [];
      for (let i = 0; i < 4; i++) epochs.push((await bench().run('a')).fence.epoch);
      expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
      expect(new Set(epochs).size).toBe(4);
    });

    test('a worker that never registered, or whose lease has ended, gets nothing', async () => {
      await bench().order({ name: 'a' });
      await bench().store.register('late', 1_000);
      await bench().subject.pass(1_001);
      expect(await bench().claim(5, 'late')).toEqual([]);
      expect(await bench().claim(5, 'unknown')).toEqual([]);
      expect(await bench().claim(5)).toHaveLength(1);
    });

    test('tells when the order came and when it was claimed', async () => {
      await bench().order({ name: 'a' });
      await bench().subject.pass(5_000);
      const { orderedAt, claimedAt } = await bench().claimOne();
      const waitedMs = Date.parse(claimedAt) - Date.parse(orderedAt);
      expect(waitedMs).toBeGreaterThanOrEqual(5_000);
      expect(waitedMs).toBeLessThan(15_000);
    });

    test('a namespace with many lanes does not hold back one with a few', async () => {
      await bench().order(...many(500, 'big', 'person'));
      await bench().order(...many(5, 'small', 'person'), ...many(5, 'tiny', 'person'));
      const counts = countBy(await drain(bench(), 40), 'namespace');
      expect([counts.get('small'), counts.get('tiny')]).toEqual([5, 5]);
    });

    test('a batch is shared out among the namespaces', async () => {
      for (const namespace of ['a', 'b', 'c', 'd']) await bench().order(...many(50, namespace, 'person'));
      expect([...countBy(await bench().claim(40), 'namespace').values()]).toEqual([10, 10, 10, 10]);
    });

    test('what a namespace leaves of its share goes to the same cause, not to a less urgent one', async () => {
      await bench().order(
        ...many(50, 'big', 'person'),
        ...many(1, 'small', 'person'),
        ...many(50, 'd', 'dependent'),
      );
      const people = [];
      for (let i = 0; i < 4; i++) people.push(countBy(await bench().claim(8), 'cause').get('person'));
      // Three of any four claims begin with people.
      expect(people.filter((count) => count === 8)).toHaveLength(3);
    });

    test('more namespaces than one claim takes are served in turn', async () => {
      const namespaces = Array.from({ length: 30 }, (_, i) => `ns${String(i).padStart(2, '0')}`);
      await bench().order(...namespaces.flatMap((namespace) => many(5, namespace, 'person')));
      expect(countBy(await drain(bench(), 90, 9), 'namespace').size).toBe(30);
    });

    test('people go first, but nothing starves while their orders keep coming', async () => {
      await bench().order(
        ...many(50, 'd', 'dependent'),
        ...many(50, 'r', 'retry'),
        ...many(50, 'x', 'periodic'),
        ...many(200, 'p', 'person'),
      );
      const seen = await drain(bench(), 160);
      expect(countBy(seen.slice(0, 4), 'cause').get('person')).toBe(3);
      expect(Object.fromEntries(countBy(seen, 'cause'))).toEqual({
        person: 120,
        dependent: 20,
        retry: 10,
        periodic: 10,
      });
    });

    test('a batch that a less urgent cause begins is filled by the others', async () => {
      await bench().order(...many(2, 'd', 'dependent'), ...many(40, 'p', 'person'));
      for (let i = 0; i < 4; i++) expect(await bench().claim(8)).toHaveLength(8);
    });

    test('within a namespace the oldest order goes first', async () => {
      for (const name of ['c', 'a', 'b']) await bench().order({ name });
      const claims = [];
      for (let i = 0; i < 3; i++) claims.push(...(await bench().claim(1)));
      expect(claims.map((claim) => claim.name)).toEqual(['c', 'a', 'b']);
    });

    test('many namespaces that only wait for later do not hide one that is due', async () => {
      await bench().order(
        ...Array.from({ length: 600 }, (_, i) => ({
          name: 'n',
          namespace: `a${String(i).padStart(4, '0')}`,
          delayMs: HOUR_MS,
        })),
        { name: 'n', namespace: 'z' },
      );
      expect(await bench().claim(4)).toMatchObject([{ namespace: 'z' }]);
    });

    test('periodic lanes are left out on demand, and do not count as due then', async () => {
      await bench().order(...many(3, 'x', 'periodic'));
      expect(await bench().store.claim({ worker: WORKER, limit: 5, periodic: false })).toEqual([]);
      expect(await bench().store.nextDueMs(4_000, false)).toBe(4_000);
      expect(await bench().store.nextDueMs(4_000)).toBe(0);
      expect(await bench().claim()).toHaveLength(3);
    });
  });

  describe('nextDueMs', () => {
    test('is the time until the first lane is due, no more than the cap, and 0 when one is', async () => {
      expect(await bench().store.nextDueMs(7_000)).toBe(7_000);
      await bench().order({ name: 'later', delayMs: 60_000 }, { name: 'soon', delayMs: 30_000 });
      const ms = await bench().store.nextDueMs(HOUR_MS);
      expect(ms).toBeGreaterThan(20_000);
      expect(ms).toBeLessThanOrEqual(30_000);
      expect(await bench().store.nextDueMs(1_000)).toBe(1_000);
      await bench().subject.pass(30_001);
      expect(await bench().store.nextDueMs(1_000)).toBe(0);
    });

    test('lanes that run do not count', async () => {
      await bench().order({ name: 'a' });
      await bench().claimOne();
      await bench().order({ name: 'a' });
      expect(await bench().store.nextDueMs(1_000)).toBe(1_000);
    });
  });
}
