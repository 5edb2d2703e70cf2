import {
  hashOf,
  ledgerKeyText,
  type DeploymentOwner,
  type LedgerEntry,
  type LedgerKey,
} from '@symphony/model';
import type { Fence, JobWaker, LaneOrder } from '../../../../modules/queue/index.js';
import {
  Ledger,
  TargetGoneError,
  type LedgerOutcome,
  type PlacesPage,
} from '../../../../modules/reconcile/index.js';
import type { Database, Sql } from '../../database/database.js';
import { assertFence, GatherOrAlone, orderLanes } from '../jobs/index.js';
import { placesWith } from './known-places.js';
import {
  beginTogether,
  INSERT_INTENTS,
  KEEP_APPLIED,
  KNOWN_OR_INTENT,
  settleTogether,
  type Applications,
  type Intents,
  type Keyed,
} from './ledger-batches.js';

/** The columns of a ledger row as JSON in the shape of `LedgerEntry`; shared with the snapshot's one statement. */
export const LEDGER_ENTRY_JSON = `jsonb_build_object(
  'owner', jsonb_build_object('kind', l.owner_kind, 'namespace', l.owner_namespace, 'name', l.owner_name, 'uid', l.owner_uid),
  'targetUid', l.target_uid, 'targetName', l.target_name, 'component', l.component, 'role', l.role,
  'provider', l.provider, 'bindingHash', l.binding_hash, 'scope', l.scope, 'binding', l.binding, 'applied', l.applied,
  'digest', l.digest, 'state', l.state, 'generation', l.generation, 'updatedAt', l.updated_at)
  || CASE WHEN l.pending IS NULL THEN '{}' ELSE jsonb_build_object('pending', l.pending) END
  || CASE WHEN l.report IS NULL THEN '{}' ELSE jsonb_build_object('report', l.report) END
  || CASE WHEN l.reported_failures = 0 THEN '{}' ELSE jsonb_build_object('reportedFailures', l.reported_failures) END`;

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

const OCCUPIED = {
  name: 'ledger_occupied',
  text: `SELECT u.uid FROM unnest($1::text[]) AS u (uid)
         WHERE EXISTS (SELECT FROM ledger l WHERE l.target_uid = u.uid)`,
};

const BEGIN = {
  name: 'ledger_begin',
  text: `${INSERT_INTENTS} FROM jsonb_array_elements($1::jsonb) AS e WHERE ${KNOWN_OR_INTENT} ${KEEP_APPLIED}`,
};

const APPLIED = {
  name: 'ledger_applied',
  text: `
  UPDATE ledger l SET state = 'applied', applied = o->'applied', digest = o->>'digest', generation = o->>'generation',
                      updated_at = now(), pending = NULL, report = NULL, reported_failures = 0
  FROM jsonb_array_elements($2::jsonb) AS o
  WHERE l.owner_uid = $1 AND l.entry_key = o->>'entryKey'`,
};

// A report that came before this was written counts if it is about the same; one that was used up does not any more.
const PENDING = {
  name: 'ledger_pending',
  text: `
  UPDATE ledger l SET pending = o->'pending', updated_at = now(),
    reported_failures = l.reported_failures + (o ? 'used')::int,
    report = CASE WHEN o->>'used' = l.report->>'at' THEN NULL
                  WHEN coalesce(o->'pending'->>'ticket' = l.report->>'ticket', NOT o->'pending' ? 'ticket') THEN l.report END
  FROM jsonb_array_elements($2::jsonb) AS o
  WHERE l.owner_uid = $1 AND l.entry_key = o->>'entryKey'`,
};

const REMOVED = {
  name: 'ledger_removed',
  text: `
  DELETE FROM ledger l USING jsonb_array_elements($2::jsonb) AS o
  WHERE l.owner_uid = $1 AND l.entry_key = o->>'entryKey'`,
};

// Both lock the target before the lane, as everybody locks an object's row before a lane. A removal of the target's record
// locks it FOR UPDATE and then looks for entries: either it sees the intents, or the intents see that it is gone.
const KEEP_TARGETS = {
  name: 'ledger_keep_targets',
  text: `SELECT uid FROM objects WHERE kind = 'Target' AND uid = ANY ($1::uuid[]) ORDER BY uid FOR KEY SHARE`,
};

// FOR SHARE: a request of deletion waits until the entries are gone, or came first and is seen.
const LEFT_TARGETS = {
  name: 'ledger_left_targets',
  text: `SELECT namespace, name, generation, deletion_timestamp IS NOT NULL AS deleting
         FROM objects WHERE kind = 'Target' AND uid = ANY ($1::uuid[]) ORDER BY uid FOR SHARE`,
};

/**
 * The ledger in PostgreSQL. Each write holds the lane's fence until it commits. What steps begin and settle in the same
 * moment is written together; what that could not do at once is written by a transaction of its own.
 */
export class PostgresLedger extends Ledger {
  readonly #begins = new GatherOrAlone<Intents, true>({
    together: (items) => beginTogether(this.database, items),
    alone: (item) => this.#begin(item),
  });
  readonly #settles = new GatherOrAlone<Applications, true>({
    together: (items) => settleTogether(this.database, items),
    alone: ({ fence, ownerUid, applied }) => this.#settle(fence, ownerUid, applied),
  });

  constructor(
    private readonly database: Database,
    private readonly waker: Pick<JobWaker, 'wake'>,
  ) {
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

  override async occupiedAmong(targetUids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.database.query<{ uid: string }>(OCCUPIED, [targetUids]);
    return new Set(rows.map((row) => row.uid));
  }

  override placesWith(providers: readonly string[], limit: number, after?: string): Promise<PlacesPage> {
    return placesWith(this.database, providers, limit, after);
  }

  async begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    const targets = storedTargets(entries.filter((entry) => entry.state === 'intent'));
    const keyed = entries.map((entry) => ({ ...entry, entryKey: keyHash(entry) }));
    await this.#begins.add({ fence, targets, entries: keyed });
  }

  async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    const keyed = outcomes.map((outcome) => ({ ...outcome, entryKey: keyHash(outcome.key) }));
    const applied = keyed.filter((outcome) => outcome.kind === 'applied');
    if (applied.length < keyed.length) await this.#settle(fence, ownerUid, keyed);
    else if (applied.length > 0) await this.#settles.add({ fence, ownerUid, applied });
  }

  async #begin({ fence, targets, entries }: Intents): Promise<true> {
    await this.database.transaction(async (tx) => {
      const kept = targets.length > 0 ? await tx.query(KEEP_TARGETS, [targets]) : [];
      if (kept.length < targets.length) throw new TargetGoneError();
      await assertFence(tx, fence);
      await tx.query(BEGIN, [JSON.stringify(entries)]);
    });
    return true;
  }

  /** What is removed may free a target, which is another lock and an order. */
  async #settle(fence: Fence, ownerUid: string, outcomes: readonly Keyed<LedgerOutcome>[]): Promise<true> {
    const of = (kind: LedgerOutcome['kind']) => outcomes.filter((outcome) => outcome.kind === kind);
    const [applied, pending, removed] = [of('applied'), of('pending'), of('removed')];
    const left = storedTargets(removed.map(({ key }) => key)).filter((uid) => uid !== ownerUid);
    const freed = await this.database.transaction(async (tx) => {
      const deleting = await deletingAmong(tx, left);
      await assertFence(tx, fence);
      if (applied.length > 0) await tx.query(APPLIED, [ownerUid, JSON.stringify(applied)]);
      if (pending.length > 0) await tx.query(PENDING, [ownerUid, JSON.stringify(pending)]);
      if (removed.length > 0) await tx.query(REMOVED, [ownerUid, JSON.stringify(removed)]);
      await orderLanes(tx, deleting);
      return deleting;
    });
    if (freed.length > 0) this.waker.wake({ lanes: freed, fanOuts: false });
    return true;
  }
}

interface TargetRow {
  namespace: string;
  name: string;
  generation: string;
  deleting: boolean;
}

/** Orders for those targets that are being deleted: they wait for their last component to go. */
async function deletingAmong(tx: Sql, uids: readonly string[]): Promise<LaneOrder[]> {
  if (uids.length === 0) return [];
  const rows = await tx.query<TargetRow>(LEFT_TARGETS, [uids]);
  return rows
    .filter(({ deleting }) => deleting)
    .map(({ namespace, name, generation }) => ({
      kind: 'Target',
      namespace,
      name,
      generation: Number(generation),
      action: 'delete',
      cause: 'dependent',
    }));
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Uids of targets that have a record; posted deployments bring their own, named otherwise. */
function storedTargets(keys: readonly Pick<LedgerKey, 'targetUid'>[]): string[] {
  return [...new Set(keys.map((key) => key.targetUid))].filter((uid) => UUID.test(uid));
}

function keyHash(key: LedgerKey): string {
  return hashOf(ledgerKeyText(key));
}
