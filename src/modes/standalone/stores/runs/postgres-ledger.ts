import {
  hashOf,
  ledgerKeyText,
  type DeploymentOwner,
  type LedgerEntry,
  type LedgerKey,
} from '@symphony/model';
import type { Fence } from '../../../../modules/queue/index.js';
import { Ledger, type LedgerOutcome } from '../../../../modules/reconcile/index.js';
import type { Database, Sql } from '../../database/database.js';
import { assertFence } from '../jobs/fence.js';

/** The columns of a ledger row as JSON in the shape of `LedgerEntry`; shared with the snapshot's one statement. */
export const LEDGER_ENTRY_JSON = `jsonb_build_object(
  'owner', jsonb_build_object('kind', l.owner_kind, 'namespace', l.owner_namespace, 'name', l.owner_name, 'uid', l.owner_uid),
  'targetUid', l.target_uid, 'targetName', l.target_name, 'component', l.component, 'role', l.role,
  'provider', l.provider, 'bindingHash', l.binding_hash, 'scope', l.scope, 'binding', l.binding, 'applied', l.applied,
  'digest', l.digest, 'state', l.state, 'generation', l.generation, 'updatedAt', l.updated_at)`;

const ENTRIES_OF = {
  name: 'ledger_entries_of',
  text: `SELECT ${LEDGER_ENTRY_JSON} AS entry FROM ledger l WHERE l.owner_uid = $1
         ORDER BY l.target_uid, l.component, l.entry_key`,
};

const OWNERS_ON = {
  name: 'ledger_owners_on',
  text: `SELECT owner_kind AS kind, owner_namespace AS namespace, owner_name AS name, owner_uid AS uid,
                count(*) OVER () AS total
         FROM ledger WHERE target_uid = $1
         GROUP BY owner_kind, owner_namespace, owner_name, owner_uid
         ORDER BY owner_namespace, owner_name LIMIT $2`,
};

// An entry that was applied keeps what was applied and its digest until the outcome is known: an update that dies on the
// way may have happened or not, and the next run must not take the new declaration for the applied one.
const BEGIN = {
  name: 'ledger_begin',
  text: `
  INSERT INTO ledger (owner_uid, entry_key, target_uid, component, role, provider, binding_hash, owner_kind, owner_namespace,
                      owner_name, target_name, scope, binding, applied, digest, state, generation)
  SELECT e->'owner'->>'uid', e->>'entryKey', e->>'targetUid', e->>'component', e->>'role', e->>'provider', e->>'bindingHash',
         e->'owner'->>'kind', e->'owner'->>'namespace', e->'owner'->>'name', e->>'targetName', e->>'scope',
         e->'binding', e->'applied', e->>'digest', e->>'state', e->>'generation'
  FROM jsonb_array_elements($1::jsonb) AS e
  ON CONFLICT ON CONSTRAINT ledger_pk DO UPDATE
    SET state = excluded.state, generation = excluded.generation, updated_at = now()`,
};

const APPLIED = {
  name: 'ledger_applied',
  text: `
  UPDATE ledger l SET state = 'applied', applied = o->'applied', digest = o->>'digest', generation = o->>'generation',
                      updated_at = now()
  FROM jsonb_array_elements($2::jsonb) AS o
  WHERE l.owner_uid = $1 AND l.entry_key = o->>'entryKey'`,
};

const REMOVED = {
  name: 'ledger_removed',
  text: `
  DELETE FROM ledger l USING jsonb_array_elements($2::jsonb) AS o
  WHERE l.owner_uid = $1 AND l.entry_key = o->>'entryKey'`,
};

/** The ledger in PostgreSQL. One transaction per write, which holds the lane's fence until it commits. */
export class PostgresLedger extends Ledger {
  constructor(private readonly database: Database) {
    super();
  }

  async entriesOf(ownerUid: string): Promise<LedgerEntry[]> {
    const rows = await this.database.query<{ entry: LedgerEntry }>(ENTRIES_OF, [ownerUid]);
    return rows.map((row) => row.entry);
  }

  async ownersOn(targetUid: string, limit: number): Promise<{ total: number; owners: DeploymentOwner[] }> {
    const rows = await this.database.query<DeploymentOwner & { total: string }>(OWNERS_ON, [
      targetUid,
      limit,
    ]);
    const owners = rows.map(({ kind, namespace, name, uid }) => ({ kind, namespace, name, uid }));
    return { total: Number(rows[0]?.total ?? 0), owners };
  }

  async begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    await this.#fenced(fence, (tx) =>
      tx.query(BEGIN, [JSON.stringify(entries.map((entry) => ({ ...entry, entryKey: keyHash(entry) })))]),
    );
  }

  async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    const applied = outcomes.filter((outcome) => outcome.kind === 'applied');
    const removed = outcomes.filter((outcome) => outcome.kind === 'removed');
    if (applied.length + removed.length === 0) return;
    await this.#fenced(fence, async (tx) => {
      if (applied.length > 0)
        await tx.query(APPLIED, [
          ownerUid,
          JSON.stringify(applied.map((outcome) => ({ ...outcome, entryKey: keyHash(outcome.key) }))),
        ]);
      if (removed.length > 0)
        await tx.query(REMOVED, [
          ownerUid,
          JSON.stringify(removed.map(({ key }) => ({ entryKey: keyHash(key) }))),
        ]);
    });
  }

  async #fenced(fence: Fence, work: (tx: Sql) => Promise<unknown>): Promise<void> {
    await this.database.transaction(async (tx) => {
      await assertFence(tx, fence);
      await work(tx);
    });
  }
}

function keyHash(key: LedgerKey): string {
  return hashOf(ledgerKeyText(key));
}
