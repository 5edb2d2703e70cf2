import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FanOut } from '../../../src/modules/queue/index.js';
import { insertFanOuts } from '../../../src/modes/standalone/stores/jobs/index.js';
import { claimAll, openQueue, outcomeOf, type QueueFixture } from './support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('fanout');
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  await queue.database.query('TRUNCATE ledger');
  await queue.store.register('w', 600_000);
});

interface Stored {
  name: string;
  namespace?: string;
  solution?: string;
  targetRef?: string;
  target?: object;
  generation?: number;
}

async function store(...instances: Stored[]): Promise<void> {
  for (const { name, namespace = 'default', solution, targetRef, target, generation = 1 } of instances) {
    await queue.database.query(
      `INSERT INTO objects (kind, namespace, name, generation, labels, annotations, spec, solution_ref, target_ref, target_dynamic)
       VALUES ('Instance', $1, $2, $3, '{}', '{}', $4, $5, $6, $7)`,
      [
        namespace,
        name,
        generation,
        { target },
        solution ?? null,
        targetRef ?? null,
        target !== undefined && !targetRef,
      ],
    );
  }
}

async function fanOut(fanOut: Partial<FanOut> & { name: string }): Promise<void> {
  await insertFanOuts(queue.database, [{ kind: 'Solution', namespace: 'default', uid: 'u', ...fanOut }]);
}

async function expand(pageSize = 500): Promise<number> {
  let pages = 0;
  while (await queue.store.expandFanOuts(pageSize)) pages++;
  return pages;
}

const ordered = async (): Promise<string[]> => {
  const claims = await claimAll(queue, 'w', 100_000);
  expect(claims.every((claim) => claim.cause === 'dependent' && claim.action === 'update')).toBe(true);
  return claims.map((claim) => claim.name).toSorted();
};

test('a solution orders the instances that name it, in either spelling, of its namespace only', async () => {
  await store(
    { name: 'a', solution: 'app-v-1', generation: 4 },
    { name: 'b', solution: 'app-v-2' },
    { name: 'c', namespace: 'other', solution: 'app-v-1' },
  );
  await fanOut({ name: 'app:1' });
  await expand();
  expect(await claimAll(queue, 'w')).toMatchObject([{ name: 'a', generation: 4, cause: 'dependent' }]);
});

test('a target orders those that name it, select it as it was or as it is, or still have something on it', async () => {
  await store(
    { name: 'by-name', targetRef: 't-1', target: { name: 't-1' } },
    { name: 'by-pattern', target: { name: 't-*' } },
    { name: 'was-selected', target: { selector: { zone: 'old' } } },
    { name: 'is-selected', target: { selector: { zone: 'n%w' } } },
    { name: 'never-selected', target: { selector: { zone: 'elsewhere' } } },
    { name: 'has-leftovers', targetRef: 't-9', target: { name: 't-9' } },
    { name: 'other-name', targetRef: 't-2', target: { name: 't-2' } },
  );
  await queue.database.query(
    `INSERT INTO ledger (owner_uid, target_uid, component, role, provider, binding_hash, owner_kind, owner_namespace,
       owner_name, target_name, scope, binding, applied, digest, state, generation, entry_key)
     VALUES ('x', 'uid-1', 'c', 'r', 'p', 'h', 'Instance', 'default', 'has-leftovers', 't-1', '', '{}', '{}', '', 'applied', '1', 'k1'),
            ('y', 'uid-1', 'c', 'r', 'p', 'h', 'Instance', 'default', 'is-gone', 't-1', '', '{}', '{}', '', 'applied', '1', 'k2')`,
  );
  await fanOut({
    kind: 'Target',
    name: 't-1',
    uid: 'uid-1',
    propertiesBefore: { zone: 'old' },
    propertiesAfter: { zone: 'new' },
  });
  await expand(2);
  expect(await ordered()).toEqual(['by-name', 'by-pattern', 'has-leftovers', 'is-selected', 'was-selected']);
});

test('pages go on where a crash left off, and order nobody twice', async () => {
  const names = Array.from({ length: 25 }, (_, i) => `n${String(i).padStart(2, '0')}`);
  await store(...names.map((name) => ({ name, solution: 'app' })));
  await fanOut({ name: 'app' });
  expect(await queue.store.expandFanOuts(10)).toBe(true);
  const first = await ordered();
  expect(first).toEqual(names.slice(0, 10));
  await queue.database.query('UPDATE lanes SET worker = NULL');
  await expand(10);
  expect(await ordered()).toEqual(names.slice(10));
});

test('a burst of writes orders the dependents once', async () => {
  await store(...Array.from({ length: 30 }, (_, i) => ({ name: `n${i}`, solution: 'app' })));
  for (let i = 0; i < 20; i++) await fanOut({ name: 'app' });
  expect(await expand(10)).toBe(4);
  expect(await ordered()).toHaveLength(30);
});

test('a write that comes while its predecessor is being expanded is expanded too', async () => {
  await store(...Array.from({ length: 20 }, (_, i) => ({ name: `n${i}`, solution: 'app' })));
  await fanOut({ name: 'app' });
  await queue.store.expandFanOuts(10);
  const early = await claimAll(queue, 'w', 100);
  for (const claim of early) await queue.store.complete(claim, outcomeOf());
  await fanOut({ name: 'app' });
  await expand(10);
  expect(await ordered()).toHaveLength(20);
});

test('an order of an object that is gone leaves no lane behind', async () => {
  await store({ name: 'there' });
  await queue.store.order([
    {
      kind: 'Instance',
      namespace: 'default',
      name: 'there',
      generation: 1,
      action: 'update',
      cause: 'person',
    },
    {
      kind: 'Instance',
      namespace: 'default',
      name: 'gone',
      generation: 7,
      action: 'delete',
      cause: 'person',
    },
  ]);
  expect(await queue.store.list({ limit: 10 })).toMatchObject({ items: [{ name: 'there' }] });
});
