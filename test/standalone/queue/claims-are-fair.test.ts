import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { claimAll, openQueue, outcomeOf, type QueueFixture } from './support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('fair');
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  await queue.store.register('w', 600_000);
});

const many = (count: number, namespace: string, cause: 'person' | 'dependent' | 'retry' | 'periodic') =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i}`, namespace, cause }));

/** Namespaces of the next claims, taken one by one and completed. */
async function drain(count: number, limit = 1): Promise<{ namespace: string; cause: string }[]> {
  const seen = [];
  while (seen.length < count) {
    const claims = await claimAll(queue, 'w', limit);
    if (claims.length === 0) break;
    for (const claim of claims) {
      seen.push({ namespace: claim.namespace, cause: claim.cause });
      await queue.store.complete(claim, outcomeOf());
    }
  }
  return seen;
}

function countBy<T>(items: readonly T[], key: keyof T): Map<T[keyof T], number> {
  const counts = new Map<T[keyof T], number>();
  for (const item of items) counts.set(item[key], (counts.get(item[key]) ?? 0) + 1);
  return counts;
}

test('a namespace with a thousand lanes does not hold back one with a few', async () => {
  await queue.order(...many(1_000, 'big', 'person'));
  await queue.order(...many(5, 'small', 'person'), ...many(5, 'tiny', 'person'));
  const seen = await drain(40);
  expect(seen.filter((claim) => claim.namespace === 'small')).toHaveLength(5);
  expect(seen.filter((claim) => claim.namespace === 'tiny')).toHaveLength(5);
});

test('a batch is shared out among the namespaces', async () => {
  for (const namespace of ['a', 'b', 'c', 'd']) await queue.order(...many(100, namespace, 'person'));
  const claims = await claimAll(queue, 'w', 40);
  expect([...countBy(claims, 'namespace').values()]).toEqual([10, 10, 10, 10]);
});

test('what a namespace leaves of its share goes to the same cause, not to a less urgent one', async () => {
  await queue.order(
    ...many(50, 'big', 'person'),
    ...many(1, 'small', 'person'),
    ...many(50, 'd', 'dependent'),
  );
  const causes = [];
  // Three of any four claims begin with people.
  for (let i = 0; i < 4; i++) causes.push(countBy(await claimAll(queue, 'w', 8), 'cause').get('person') ?? 0);
  expect(causes.filter((people) => people === 8)).toHaveLength(3);
});

test('more namespaces than one claim takes are served in turn', async () => {
  const namespaces = Array.from({ length: 30 }, (_, i) => `ns${String(i).padStart(2, '0')}`);
  for (const namespace of namespaces) await queue.order(...many(20, namespace, 'person'));
  const seen = await drain(90, 9);
  expect(countBy(seen, 'namespace').size).toBe(30);
});

test('people go first, but nothing starves while their orders keep coming', async () => {
  await queue.order(
    ...many(100, 'd', 'dependent'),
    ...many(100, 'r', 'retry'),
    ...many(100, 'x', 'periodic'),
    ...many(300, 'p', 'person'),
  );
  const seen = await drain(160);
  const counts = countBy(seen, 'cause');
  expect(countBy(seen.slice(0, 4), 'cause').get('person')).toBe(3);
  expect(counts.get('person')).toBeGreaterThanOrEqual(110);
  expect(counts.get('dependent')).toBe(20);
  expect(counts.get('retry')).toBe(10);
  expect(counts.get('periodic')).toBe(10);
});

test('within a namespace the oldest order goes first', async () => {
  for (const name of ['c', 'a', 'b']) await queue.order({ name });
  const claims = [];
  for (let i = 0; i < 3; i++) claims.push(...(await claimAll(queue, 'w', 1)));
  expect(claims.map((claim) => claim.name)).toEqual(['c', 'a', 'b']);
});

test('periodic lanes are left out on demand, and do not count as due then', async () => {
  await queue.order(...many(3, 'x', 'periodic'));
  expect(await queue.store.claim({ worker: 'w', limit: 5, periodic: false })).toEqual([]);
  expect(await queue.store.nextDueMs(4_000, false)).toBe(4_000);
  expect(await queue.store.nextDueMs(4_000)).toBe(0);
  expect(await queue.store.claim({ worker: 'w', limit: 5, periodic: true })).toHaveLength(3);
});

test('more namespaces than one claim looks at: those that only wait for later do not hide one that is due', async () => {
  await queue.order(
    ...Array.from({ length: 600 }, (_, i) => ({
      name: 'n',
      namespace: `a${String(i).padStart(4, '0')}`,
      delayMs: 600_000,
    })),
    { name: 'n', namespace: 'z' },
  );
  expect(await claimAll(queue, 'w', 4)).toMatchObject([{ namespace: 'z' }]);
});

test('an ended worker gets no lanes', async () => {
  await queue.order({ name: 'a' });
  await queue.store.register('late', 0);
  expect(await claimAll(queue, 'late')).toEqual([]);
  expect(await claimAll(queue, 'never-registered')).toEqual([]);
});
