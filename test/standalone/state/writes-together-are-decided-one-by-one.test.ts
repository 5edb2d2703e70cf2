import { parseAs, BODY_CLASSES, type StoredObject } from '@symphony/model';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { WakeHint } from '../../../src/modules/queue/index.js';
import { effectsOfWrite, type ObjectWrite } from '../../../src/modules/state/index.js';
import { PostgresObjectStore } from '../../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { openQueue, type QueueFixture } from '../queue/support.js';

const COUNT = 50;

let queue: QueueFixture;
let store: PostgresObjectStore;
const wakes: WakeHint[] = [];

beforeAll(async () => {
  queue = await openQueue('writes_together');
  store = new PostgresObjectStore(queue.database, { wake: (hint) => wakes.push(hint) });
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  wakes.length = 0;
});

function instance(i: number, change: Partial<ObjectWrite<'Instance'>> = {}): ObjectWrite<'Instance'> {
  const body = parseAs(BODY_CLASSES.Instance, { spec: { solution: 'app', target: { name: 't' } } });
  if (!body.spec) throw new Error('the body has no spec');
  const { spec } = body;
  const name = `app-${i}`;
  const empty = { labels: {}, annotations: {}, precondition: {} };
  return { kind: 'Instance', namespace: 'default', name, spec, ...empty, ...change };
}

const put = (write: ObjectWrite<'Instance'>) =>
  store.put(write, (before, after) => effectsOfWrite(before, after, 'ann'));

/** Writes all in the same moment. */
const putAll = (of: (i: number) => Partial<ObjectWrite<'Instance'>>) =>
  Promise.allSettled(Array.from({ length: COUNT }, (_, i) => put(instance(i, of(i)))));

async function orders(): Promise<Map<string, number>> {
  const rows = await queue.database.query<{ name: string; generation: string }>(
    'SELECT name, generation FROM lanes WHERE due_at IS NOT NULL',
  );
  return new Map(rows.map(({ name, generation }) => [name, Number(generation)]));
}

const failures = (results: readonly PromiseSettledResult<unknown>[]): number[] =>
  results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));

test('objects that are made in one moment each have their order, and are told of after the commit', async () => {
  const results = await putAll(() => ({}));
  expect(failures(results)).toEqual([]);
  expect((await orders()).size).toBe(COUNT);
  expect(new Set(wakes.flatMap(({ lanes }) => lanes.map(({ name }) => name))).size).toBe(COUNT);
  // Together, or this test shows nothing.
  expect(wakes.length).toBeLessThan(COUNT / 5);
});

test('who states what does not hold is refused alone: nothing of it is written, nothing ordered', async () => {
  const results = await putAll((i) => ({
    ...(i === 3 ? { precondition: { ifMatch: '1' } } : {}),
    ...(i === 4 ? { labels: { bad: 'no text for a database: \0' } } : {}),
  }));
  expect(failures(results)).toEqual([3, 4]);
  const stored = await orders();
  expect(stored.size).toBe(COUNT - 2);
  expect(stored.has('app-3') || stored.has('app-4')).toBe(false);
});

test('replaced in one moment: new generations for what changed, none for what is the same, 412 for a version of before', async () => {
  const made = await putAll(() => ({}));
  const versionOf = (i: number): string => {
    const result = made[i];
    return result?.status === 'fulfilled' ? result.value.object.version : '';
  };
  await put(instance(5, { labels: { turn: 'other' } }));
  const results = await putAll((i) => ({
    labels: { turn: i === 7 ? '' : 'new' },
    ...(i % 2 ? { precondition: { ifMatch: versionOf(i) } } : {}),
    ...(i === 8 ? { spec: { ...instance(8).spec, displayName: 'renamed' } } : {}),
  }));
  expect(failures(results)).toEqual([5]);
  const stored = await store.list({ kind: 'Instance' });
  const byName = new Map(stored.items.map((item: StoredObject<'Instance'>) => [item.name, item]));
  expect(byName.get('app-5')?.labels).toEqual({ turn: 'other' });
  expect(byName.get('app-6')).toMatchObject({ labels: { turn: 'new' }, generation: 1 });
  expect(byName.get('app-8')).toMatchObject({ generation: 2, spec: { displayName: 'renamed' } });
  expect(new Set(stored.items.map(({ version }) => version)).size).toBe(COUNT);
  expect((await orders()).get('app-8')).toBe(2);
});

test('writes of one object in one moment follow each other, none is lost', async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      put(instance(0, { spec: { ...instance(0).spec, displayName: `turn ${i}` } })),
    ),
  );
  const generations = results.map(({ object }) => object.generation).toSorted((a, b) => a - b);
  expect(generations).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(results.filter(({ created }) => created)).toHaveLength(1);
});

test('an object that somebody else has locked holds no other write up', async () => {
  await put(instance(9));
  let waits: Promise<unknown> = Promise.resolve();
  await queue.database.transaction(async (tx) => {
    await tx.query(`SELECT uid FROM objects WHERE name = 'app-9' FOR UPDATE`);
    waits = put(instance(9, { labels: { turn: 'late' } }));
    await Promise.all(Array.from({ length: 8 }, (_, i) => put(instance(i))));
  });
  await waits;
  expect((await store.list({ kind: 'Instance' })).items).toHaveLength(9);
});
