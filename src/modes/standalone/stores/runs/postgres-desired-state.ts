import type { LedgerEntry, ReasonCode, StoredObject } from '@symphony/model';
import {
  DesiredStateReader,
  type Snapshot,
  type SnapshotKey,
  type UnhealthyTarget,
} from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';
import { GatherOrAlone } from '../jobs/index.js';
import { LEDGER_ENTRY_JSON } from './postgres-ledger.js';

const objectJson = (alias: string): string => `jsonb_build_object(
  'kind', ${alias}.kind, 'namespace', ${alias}.namespace, 'name', ${alias}.name, 'uid', ${alias}.uid,
  'generation', ${alias}.generation, 'version', ${alias}.version::text, 'labels', ${alias}.labels,
  'annotations', ${alias}.annotations, 'spec', ${alias}.spec, 'createdAt', ${alias}.created_at,
  'deletionTimestamp', ${alias}.deletion_timestamp, 'status', '{}'::jsonb)`;

const UNHEALTHY_JSON = `jsonb_build_object(
  'targetUid', h.target_uid, 'code', h.reason, 'message', h.message, 'open', h.open_until IS NOT NULL,
  'retryMs', greatest(0, extract(epoch FROM h.open_until - clock_timestamp()) * 1000),
  'overdueMs', greatest(0, extract(epoch FROM clock_timestamp() - h.open_until) * 1000))`;

const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

// One statement is one snapshot, and one round trip for all runs that begin in the same moment. A reference means the object
// of exactly that name, else the one whose name has `-v-` for every `:` (libs/model candidatesOf says the same for what is
// decided in memory). All targets of the namespace are read only for instances that select by pattern or property.
const READ = {
  name: 'desired_state_read_many',
  text: `
  SELECT i.n, r.*
  FROM jsonb_to_recordset($1::jsonb) AS i (n int, kind text, namespace text, name text) CROSS JOIN LATERAL (
    WITH o AS MATERIALIZED (
      SELECT * FROM objects WHERE kind = i.kind AND namespace = i.namespace AND name = i.name
    ), l AS MATERIALIZED (
      SELECT ledger.* FROM o CROSS JOIN LATERAL (SELECT * FROM ledger WHERE owner_uid = o.uid::text) AS ledger
    ), t AS MATERIALIZED (
      SELECT t.* FROM objects t JOIN o ON o.kind = 'Instance'
        WHERE t.kind = 'Target' AND t.namespace = i.namespace AND o.target_dynamic
      UNION
      SELECT t.* FROM objects t JOIN o ON o.kind = 'Instance'
        WHERE t.kind = 'Target' AND t.namespace = i.namespace
          AND t.name IN (o.spec->'target'->>'name', replace(o.spec->'target'->>'name', ':', '-v-'))
      UNION
      SELECT t.* FROM (
        SELECT DISTINCT CASE WHEN target_uid ~ '${UUID}' THEN target_uid::uuid END AS uid FROM l) AS held
        CROSS JOIN LATERAL (SELECT * FROM objects WHERE uid = held.uid LIMIT 1) AS t
        WHERE t.kind = 'Target' AND t.namespace = i.namespace
      UNION
      SELECT * FROM o WHERE kind = 'Target'
    )
    SELECT
      (SELECT ${objectJson('o')} || jsonb_build_object('status', jsonb_build_object('engine', s.engine))
         FROM o LEFT JOIN LATERAL (SELECT engine FROM object_status WHERE uid = o.uid LIMIT 1) AS s ON true) AS object,
      (SELECT ${objectJson('s')} FROM o JOIN objects s
         ON s.kind = 'Solution' AND s.namespace = i.namespace AND o.kind = 'Instance'
        AND s.name IN (o.spec->>'solution', replace(o.spec->>'solution', ':', '-v-'))
        ORDER BY s.name = o.spec->>'solution' DESC LIMIT 1) AS solution,
      (SELECT coalesce(jsonb_agg(${objectJson('t')}), '[]') FROM t) AS targets,
      (SELECT coalesce(jsonb_agg(${LEDGER_ENTRY_JSON}), '[]') FROM l) AS ledger,
      (SELECT coalesce(jsonb_agg(${UNHEALTHY_JSON}), '[]') FROM target_health h
        WHERE h.target_uid IN (SELECT t.uid::text FROM t UNION SELECT target_uid FROM l)) AS unhealthy
  ) AS r`,
};

const READ_INLINE = {
  name: 'desired_state_read_inline',
  text: `
  WITH l AS MATERIALIZED (SELECT * FROM ledger WHERE owner_uid = $1)
  SELECT
    (SELECT coalesce(jsonb_agg(${LEDGER_ENTRY_JSON}), '[]') FROM l) AS ledger,
    (SELECT coalesce(jsonb_agg(${UNHEALTHY_JSON}), '[]') FROM target_health h
      WHERE (h.target_uid = ANY ($2) OR h.target_uid IN (SELECT target_uid FROM l))) AS unhealthy`,
};

interface UnhealthyRow {
  targetUid: string;
  code: ReasonCode;
  message: string;
  open: boolean;
  retryMs: number;
  overdueMs: number | null;
}

interface SnapshotRow {
  object: StoredObject<'Instance' | 'Target'> | null;
  solution: StoredObject<'Solution'> | null;
  targets: StoredObject<'Target'>[];
  ledger: LedgerEntry[];
  unhealthy: UnhealthyRow[];
}

/** An instance that selects from very many targets takes long to read; a few others wait with it, and no more. */
const READS = { maxBatch: 16, atOnce: 4 };

export class PostgresDesiredState extends DesiredStateReader {
  readonly #reads = new GatherOrAlone<SnapshotKey, Snapshot>(
    { together: (keys) => this.#readMany(keys), alone: (key) => this.#readAlone(key) },
    READS,
  );

  constructor(private readonly database: Database) {
    super();
  }

  read(key: SnapshotKey): Promise<Snapshot> {
    return this.#reads.add(key);
  }

  async #readAlone(key: SnapshotKey): Promise<Snapshot> {
    const [snapshot] = await this.#readMany([key]);
    if (!snapshot) throw new Error('the snapshot statement answered no row');
    return snapshot;
  }

  async #readMany(keys: readonly SnapshotKey[]): Promise<(Snapshot | undefined)[]> {
    const wanted = keys.map(({ kind, namespace, name }, n) => ({ n, kind, namespace, name }));
    const rows = await this.database.query<SnapshotRow & { n: number }>(READ, [JSON.stringify(wanted)]);
    const snapshots = new Map(rows.map((row) => [row.n, snapshotOf(row)]));
    return keys.map((_, n) => snapshots.get(n));
  }

  async readInline(
    ownerUid: string,
    targetUids: readonly string[],
  ): Promise<Pick<Snapshot, 'ledger' | 'unhealthy'>> {
    const [row] = await this.database.query<Pick<SnapshotRow, 'ledger' | 'unhealthy'>>(READ_INLINE, [
      ownerUid,
      targetUids,
    ]);
    return { ledger: row?.ledger ?? [], unhealthy: (row?.unhealthy ?? []).map(unhealthyOf) };
  }
}

function snapshotOf(row: SnapshotRow): Snapshot {
  return {
    object: row.object ? withoutNulls(row.object) : undefined,
    solution: row.solution ? withoutNulls(row.solution) : undefined,
    targets: row.targets.map(withoutNulls),
    ledger: row.ledger,
    unhealthy: row.unhealthy.map(unhealthyOf),
  };
}

function unhealthyOf(row: UnhealthyRow): UnhealthyTarget {
  return {
    targetUid: row.targetUid,
    reason: { code: row.code, message: row.message },
    open: row.open,
    retryMs: row.retryMs,
    overdueMs: row.overdueMs ?? 0,
  };
}

/** SQL has null where the model has nothing. */
function withoutNulls<T extends StoredObject>(object: T): T {
  if (!object.deletionTimestamp) delete object.deletionTimestamp;
  if (!object.status.engine) delete object.status.engine;
  return object;
}
