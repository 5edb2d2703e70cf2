import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WakeHint } from '../../../src/modules/queue/index.js';
import { effectsOfWrite, type WriteEffects } from '../../../src/modules/state/index.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresObjectStore } from '../../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { objectStoreConformance } from '../../support/object-store-conformance.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

let testDatabase: TestDatabase;
let source: DataSource;
let database: Database;
const wakes: WakeHint[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase('objects');
  source = createDataSource({ url: testDatabase.url, poolSize: 8, applicationName: 'objects-test' });
  await source.initialize();
  await migrate(source);
  database = new Database(source);
});

afterAll(async () => {
  await source.destroy();
  await testDatabase.drop();
});

function open(): PostgresObjectStore {
  return new PostgresObjectStore(database, { wake: (hint) => wakes.push(hint) });
}

objectStoreConformance(async () => {
  await database.query('TRUNCATE objects, object_status, ledger, lanes, fan_outs CASCADE');
  return {
    store: open(),
    namespaces: { home: 'default', later: 'other', last: 'zoo' },
    // A transaction shows at once what was written, and does all of its part.
    listed: () => Promise.resolve(),
    orphaned: () => Promise.resolve(),
    async isOrdered({ kind, namespace, name }) {
      const sql = 'SELECT FROM lanes WHERE kind = $1 AND namespace = $2 AND name = $3 AND due_at IS NOT NULL';
      return (await database.query(sql, [kind, namespace, name])).length > 0;
    },
    async writeStatus({ kind, namespace, name }, status) {
      await database.query(
        `UPDATE object_status s SET engine = $4 FROM objects o
          WHERE o.uid = s.uid AND o.kind = $1 AND o.namespace = $2 AND o.name = $3`,
        [kind, namespace, name, JSON.stringify(status)],
      );
    },
    async applyComponent(owner) {
      await database.query(
        `INSERT INTO ledger (owner_uid, owner_kind, owner_namespace, owner_name, target_uid, target_name, component,
                             role, provider, binding_hash, scope, binding, applied, digest, state, generation, entry_key)
         VALUES ($1, $2, $3, $4, 'target-uid', 't', 'c', 'instance', 'providers.target.mock', 'h', 'default', '{}', '{}',
                 '', 'applied', '1', 'k')`,
        [owner.uid, owner.kind, owner.namespace, owner.name],
      );
      return 'c on t (providers.target.mock)';
    },
  };
});

const write = {
  kind: 'Target' as const,
  namespace: 'default',
  name: 'waking',
  spec: {},
  labels: {},
  annotations: {},
  precondition: {},
};

test('workers are told after a commit that ordered something, and only then', async () => {
  wakes.length = 0;
  const store = open();
  await store.put(write, () => ({ orders: [], fanOuts: [] }));
  await store.put({ ...write, precondition: { ifMatch: 'x' } }, effectsOfWrite).catch(() => undefined);
  expect(wakes).toEqual([]);
  await store.put({ ...write, spec: { properties: { a: 'b' } } }, effectsOfWrite);
  expect(wakes).toMatchObject([{ lanes: [{ kind: 'Target', name: 'waking' }], fanOuts: true }]);
});

test('a write whose orders cannot be told is not made', async () => {
  const failing = (): WriteEffects => {
    throw new Error('no effects');
  };
  const key = { ...write, name: 'failing' };
  await expect(open().put(key, failing)).rejects.toThrow('no effects');
  expect(await open().get(key)).toBeUndefined();
});

test('what a target had and has is in the fan-out that it stores', async () => {
  await database.query('TRUNCATE fan_outs');
  const store = open();
  await store.put({ ...write, name: 'moving', spec: { properties: { zone: 'a' } } }, effectsOfWrite);
  await store.put({ ...write, name: 'moving', spec: { properties: { zone: 'b' } } }, effectsOfWrite);
  const rows = await database.query('SELECT kind, name, properties FROM fan_outs ORDER BY id');
  expect(rows).toEqual([
    { kind: 'Target', name: 'moving', properties: [{ zone: 'a' }] },
    { kind: 'Target', name: 'moving', properties: [{ zone: 'a' }, { zone: 'b' }] },
  ]);
});

test('a status write waits for no user, and a user for no status write', async () => {
  const store = open();
  const { object } = await store.put({ ...write, name: 'busy' }, effectsOfWrite);
  const timeout = 'SET LOCAL lock_timeout = 1000';
  await database.transaction(async (user) => {
    await user.query('SELECT FROM objects WHERE uid = $1 FOR NO KEY UPDATE', [object.uid]);
    await store.report({ kind: 'Target', namespace: 'default', name: 'busy' }, { a: '1' });
  });
  await database.transaction(async (engine) => {
    await engine.query(timeout);
    await engine.query(`UPDATE object_status SET engine = '{}' WHERE uid = $1`, [object.uid]);
    await store.put({ ...write, name: 'busy', spec: { properties: { a: '1' } } }, effectsOfWrite);
  });
});

test.each([
  ['app:1', { name: 'edge' }, { solution_ref: 'app-v-1', target_ref: 'edge', target_dynamic: false }],
  ['app-v-1', { name: 'a:b' }, { solution_ref: 'app-v-1', target_ref: 'a-v-b', target_dynamic: false }],
  ['app', { name: 'edge-*' }, { solution_ref: 'app', target_ref: null, target_dynamic: true }],
  ['app', { name: 'edge-%' }, { solution_ref: 'app', target_ref: null, target_dynamic: true }],
  ['app', { selector: { os: 'linux' } }, { solution_ref: 'app', target_ref: null, target_dynamic: true }],
  [
    'app',
    { name: 'e', selector: { os: 'l' } },
    { solution_ref: 'app', target_ref: 'e', target_dynamic: true },
  ],
])('references of an instance of %s on %j', async (solution, target, expected) => {
  const store = open();
  await store.put({ ...write, kind: 'Instance', name: 'refs', spec: { solution, target } }, effectsOfWrite);
  const rows = await database.query(
    `SELECT solution_ref, target_ref, target_dynamic FROM objects WHERE kind = 'Instance' AND name = 'refs'`,
  );
  expect(rows).toEqual([expected]);
});

test('a target keeps a bounded number of reported properties', async () => {
  const store = open();
  const key = { kind: 'Target' as const, namespace: 'default', name: 'chatty' };
  await store.put({ ...write, ...key }, effectsOfWrite);
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`p${n}`, '']));
  await expect(store.report(key, many)).rejects.toMatchObject({ status: 422, code: 'TooManyProperties' });
  expect((await store.get(key))?.status).toEqual({});
});
