import type { LedgerEntry } from '@symphony/model';
import type { Fence } from '../../../../modules/queue/index.js';
import type { LedgerOutcome } from '../../../../modules/reconcile/index.js';
import type { Database, Statement } from '../../database/database.js';

/** An entry, or what is told of one, with the key of its row. */
export type Keyed<T> = T & { entryKey: string };

/** Intents of one step. */
export interface Intents {
  fence: Fence;
  /** Uids of stored targets on which something is about to be put. */
  targets: readonly string[];
  entries: readonly Keyed<LedgerEntry>[];
}

/** What one step has applied. */
export interface Applications {
  fence: Fence;
  ownerUid: string;
  applied: readonly Keyed<Extract<LedgerOutcome, { kind: 'applied' }>>[];
}

/** Lanes that are still ours, held until the transaction ends; none that somebody else has locked at this moment. */
const HELD = `
  held AS MATERIALIZED (
    SELECT i.* FROM items AS i CROSS JOIN LATERAL (
      SELECT l.id FROM lanes l WHERE l.id = i.lane AND l.epoch = i.epoch AND l.worker IS NOT NULL
      FOR SHARE SKIP LOCKED) AS l
    WHERE i.ready)`;

export const INSERT_INTENTS = `
  INSERT INTO ledger (owner_uid, entry_key, target_uid, component, role, provider, binding_hash, owner_kind, owner_namespace,
                      owner_name, target_name, scope, binding, applied, digest, state, generation)
  SELECT e->'owner'->>'uid', e->>'entryKey', e->>'targetUid', e->>'component', e->>'role', e->>'provider', e->>'bindingHash',
         e->'owner'->>'kind', e->'owner'->>'namespace', e->'owner'->>'name', e->>'targetName', e->>'scope',
         e->'binding', e->'applied', e->>'digest', e->>'state', e->>'generation'`;

// Of what was given up since the run was decided nothing is written down again: nobody would ever take it out.
export const KNOWN_OR_INTENT = `
  (e->>'state' = 'intent' OR EXISTS (
    SELECT FROM ledger AS k WHERE k.owner_uid = e->'owner'->>'uid' AND k.entry_key = e->>'entryKey'))`;

// An entry that was applied keeps what was applied and its digest until the outcome is known: an update that dies on the
// way may have happened or not, and the next run must not take the new declaration for the applied one.
export const KEEP_APPLIED = `
  ON CONFLICT ON CONSTRAINT ledger_pk DO UPDATE
    SET state = excluded.state, generation = excluded.generation, updated_at = now(), pending = NULL, report = NULL`;

// One statement, and so one transaction and one round trip, for all steps that begin in the same moment. The locks are
// those of a step that begins alone (postgres-ledger.ts); as none is waited for, their order does not matter.
const BEGIN_TOGETHER: Statement = {
  name: 'ledger_begin_together',
  text: `
  WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS i (n int, lane bigint, epoch bigint, targets uuid[], entries jsonb)
  ), kept AS MATERIALIZED (
    SELECT t.uid FROM (SELECT DISTINCT unnest(targets) AS uid FROM wanted) AS w CROSS JOIN LATERAL (
      SELECT o.uid FROM objects o WHERE o.uid = w.uid AND o.kind = 'Target' FOR KEY SHARE SKIP LOCKED) AS t
  ), items AS (
    SELECT w.*, w.targets <@ ARRAY(SELECT uid FROM kept) AS ready FROM wanted AS w
  ), ${HELD}, begun AS (
    ${INSERT_INTENTS}
    FROM held CROSS JOIN LATERAL jsonb_array_elements(held.entries) AS e
    WHERE ${KNOWN_OR_INTENT}
    ${KEEP_APPLIED}
  )
  SELECT n FROM held`,
};

// The upsert always updates, since the look-up has found the row: it goes by the index whatever the planner believes of
// the table (stores/jobs/claims.ts). The look-up locks: an entry that was released since the statement began (give-up.ts)
// must not come back.
const SETTLE_TOGETHER: Statement = {
  name: 'ledger_settle_together',
  text: `
  WITH items AS MATERIALIZED (
    SELECT i.*, true AS ready
    FROM jsonb_to_recordset($1::jsonb) AS i (n int, lane bigint, epoch bigint, owner text, applied jsonb)
  ), ${HELD}, settled AS (
    INSERT INTO ledger (owner_uid, entry_key, target_uid, component, role, provider, binding_hash, owner_kind,
                        owner_namespace, owner_name, target_name, scope, binding, applied, digest, state, generation)
    SELECT l.owner_uid, l.entry_key, l.target_uid, l.component, l.role, l.provider, l.binding_hash, l.owner_kind,
           l.owner_namespace, l.owner_name, l.target_name, l.scope, l.binding, e->'applied', e->>'digest', 'applied',
           e->>'generation'
    FROM held CROSS JOIN LATERAL jsonb_array_elements(held.applied) AS e CROSS JOIN LATERAL (
      SELECT * FROM ledger WHERE owner_uid = held.owner AND entry_key = e->>'entryKey' LIMIT 1 FOR NO KEY UPDATE) AS l
    ON CONFLICT ON CONSTRAINT ledger_pk DO UPDATE
      SET state = excluded.state, applied = excluded.applied, digest = excluded.digest, generation = excluded.generation,
          updated_at = now(), pending = NULL, report = NULL, reported_failures = 0
  )
  SELECT n FROM held`,
};

/** @returns for each step whether its intents are stored; `undefined` where it has to be tried alone */
export function beginTogether(database: Database, steps: readonly Intents[]): Promise<(true | undefined)[]> {
  return together(database, BEGIN_TOGETHER, steps, ({ targets, entries }) => ({ targets, entries }));
}

/** @returns for each step whether its outcomes are stored; `undefined` where it has to be tried alone */
export function settleTogether(
  database: Database,
  steps: readonly Applications[],
): Promise<(true | undefined)[]> {
  return together(database, SETTLE_TOGETHER, steps, ({ ownerUid, applied }) => ({
    owner: ownerUid,
    applied,
  }));
}

async function together<T extends { fence: Fence }>(
  database: Database,
  statement: Statement,
  steps: readonly T[],
  rest: (step: T) => object,
): Promise<(true | undefined)[]> {
  const items = steps.map((step, n) => ({
    n,
    lane: step.fence.laneId,
    epoch: step.fence.epoch,
    ...rest(step),
  }));
  const rows = await database.query<{ n: number }>(statement, [JSON.stringify(items)]);
  const done = new Set(rows.map(({ n }) => n));
  return steps.map((_, n) => (done.has(n) ? true : undefined));
}
