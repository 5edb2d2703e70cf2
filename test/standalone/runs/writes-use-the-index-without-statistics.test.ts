import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerEntry } from '@symphony/model';
import type { Claim } from '../../../src/modules/queue/index.js';
import { PostgresDesiredState } from '../../../src/modes/standalone/stores/runs/postgres-desired-state.js';
import { PostgresLedger } from '../../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { PostgresObjectStore } from '../../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { claimAll, openQueue, outcomeOf, type QueueFixture } from '../queue/support.js';

const ROWS = 30_000;
const TABLES = ['objects', 'object_status', 'ledger', 'lanes'];

let queue: QueueFixture;
let ledger: PostgresLedger;
let reader: PostgresDesiredState;
let objects: PostgresObjectStore;
let targetUid = '';

beforeAll(async () => {
  // One connection, so that a plan that was made while the tables were empty is kept and met here.
  queue = await openQueue('plans', { poolSize: 1 });
  ledger = new PostgresLedger(queue.database, queue.wakeups);
  reader = new PostgresDesiredState(queue.database);
  objects = new PostgresObjectStore(queue.database, queue.wakeups);
  for (const table of TABLES)
    await queue.database.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  await queue.store.register('w', 600_000);
  const [row] = await queue.database.query<{ uid: string }>(`
    INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
    VALUES ('Target', 'default', 't', '{}', '{}', '{}') RETURNING uid`);
  targetUid = row?.uid ?? '';
  for (let i = 0; i < 12; i++) await life(`early-${i}`);
  await queue.database.query(
    `WITH o AS (
       INSERT INTO objects (kind, namespace, name, labels, annotations, spec, solution_ref)
       SELECT 'Instance', 'default', 'n' || i, '{}', '{}', '{"solution": "s", "target": {"name": "t"}}', 's'
       FROM generate_series(1, $1::int) AS i RETURNING uid, name
     ), s AS (INSERT INTO object_status (uid) SELECT uid FROM o)
     INSERT INTO ledger (owner_uid, entry_key, target_uid, component, role, provider, binding_hash, owner_kind,
                         owner_namespace, owner_name, target_name, scope, binding, applied, digest, state, generation)
     SELECT uid::text, 'k', $2, 'web', 'instance', 'p', 'b', 'Instance', 'default', name, 't', '', '{}', '{}', '', 'applied', '1'
     FROM o`,
    [ROWS, targetUid],
  );
});
afterAll(() => queue.close());

function entryOf({ name }: Claim, uid: string): LedgerEntry {
  return {
    owner: { kind: 'Instance', namespace: 'default', name, uid },
    targetUid,
    targetName: 't',
    component: 'web',
    role: 'instance',
    provider: 'p',
    bindingHash: 'b',
    scope: '',
    binding: { role: 'instance', provider: 'p', config: {} },
    applied: { name: 'web' },
    digest: '',
    state: 'intent',
    generation: '1',
    updatedAt: new Date(0).toISOString(),
  };
}

/** Everything that the way from a write to the end of its run asks of the store. */
async function life(name: string): Promise<void> {
  const spec = { solution: 's', target: { name: 't' }, displayName: `${name} ${performance.now()}` };
  const half = { spec, labels: {}, annotations: {}, precondition: {} };
  const { object } = await objects.put({ kind: 'Instance', namespace: 'default', name, ...half }, () => ({
    orders: [
      { kind: 'Instance', namespace: 'default', name, generation: 1, action: 'update', cause: 'person' },
    ],
    fanOuts: [],
  }));
  for (const claim of await claimAll(queue, 'w', 5)) {
    const snapshot = await reader.read(claim);
    expect(snapshot.targets.map(({ uid }) => uid)).toEqual([targetUid]);
    const entry = entryOf(claim, object.uid);
    await ledger.begin(claim.fence, [entry]);
    await ledger.settle(claim.fence, object.uid, [
      { kind: 'applied', key: entry, applied: entry.applied, digest: 'd', generation: '1' },
    ]);
    await queue.store.complete(claim, outcomeOf());
  }
}

test(`with ${ROWS} rows that no statistics know of, no statement from a write to the end of its run reads a whole table`, async () => {
  await queue.database.query('SELECT pg_stat_reset()');
  for (let i = 0; i < 5; i++) await life(`late-${i}`);
  for (let i = 1; i <= 5; i++) await life(`n${i}`);
  await queue.database.query('SELECT pg_stat_force_next_flush()').catch(() => undefined);
  const rows = await queue.database.query<{ relname: string; read: string }>(
    `SELECT relname, seq_tup_read::text AS read FROM pg_stat_user_tables WHERE relname = ANY ($1)`,
    [TABLES],
  );
  expect(Object.fromEntries(rows.map(({ relname, read }) => [relname, Number(read)]))).toEqual(
    Object.fromEntries(TABLES.map((table) => [table, 0])),
  );
});
