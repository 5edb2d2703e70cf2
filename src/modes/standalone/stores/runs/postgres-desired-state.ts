import type { LedgerEntry, ReasonCode, StoredObject } from '@symphony/model';
import {
  DesiredStateReader,
  type Snapshot,
  type SnapshotKey,
  type UnhealthyTarget,
} from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';
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

// One statement is one snapshot, and one round trip. A reference means the object of exactly that name, else the one whose
// name has `-v-` for every `:` (libs/model candidatesOf says the same for what is decided in memory). All targets of the
// namespace are read only for instances that select by pattern or property.
const READ = {
  name: 'desired_state_read',
  text: `
  WITH o AS MATERIALIZED (
    SELECT * FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3
  ), l AS MATERIALIZED (
    SELECT ledger.* FROM ledger JOIN o ON ledger.owner_uid = o.uid::text
  ), t AS MATERIALIZED (
    SELECT t.* FROM objects t JOIN o ON o.kind = 'Instance'
      WHERE t.kind = 'Target' AND t.namespace = $2 AND o.target_dynamic
    UNION
    SELECT t.* FROM objects t JOIN o ON o.kind = 'Instance'
      WHERE t.kind = 'Target' AND t.namespace = $2
        AND t.name IN (o.spec->'target'->>'name', replace(o.spec->'target'->>'name', ':', '-v-'))
    UNION
    SELECT t.* FROM objects t
      WHERE t.kind = 'Target' AND t.namespace = $2 AND t.uid::text IN (SELECT target_uid FROM l)
    UNION
    SELECT * FROM o WHERE kind = 'Target'
  )
  SELECT
    (SELECT ${objectJson('o')} || jsonb_build_object('status', jsonb_build_object('engine', s.engine))
       FROM o LEFT JOIN object_status s ON s.uid = o.uid) AS object,
    (SELECT ${objectJson('s')} FROM o JOIN objects s
       ON s.kind = 'Solution' AND s.namespace = $2 AND o.kind = 'Instance'
      AND s.name IN (o.spec->>'solution', replace(o.spec->>'solution', ':', '-v-'))
      ORDER BY s.name = o.spec->>'solution' DESC LIMIT 1) AS solution,
    (SELECT coalesce(jsonb_agg(${objectJson('t')}), '[]') FROM t) AS targets,
    (SELECT coalesce(jsonb_agg(${LEDGER_ENTRY_JSON}), '[]') FROM l) AS ledger,
    (SELECT coalesce(jsonb_agg(${UNHEALTHY_JSON}), '[]') FROM target_health h
      WHERE h.target_uid IN (SELECT t.uid::text FROM t UNION SELECT target_uid FROM l)) AS unhealthy`,
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

export class PostgresDesiredState extends DesiredStateReader {
  constructor(private readonly database: Database) {
    super();
  }

  async read(key: SnapshotKey): Promise<Snapshot> {
    const [row] = await this.database.query<SnapshotRow>(READ, [key.kind, key.namespace, key.name]);
    if (!row) throw new Error('the snapshot statement answered no row');
    return {
      object: row.object ? withoutNulls(row.object) : undefined,
      solution: row.solution ? withoutNulls(row.solution) : undefined,
      targets: row.targets.map(withoutNulls),
      ledger: row.ledger,
      unhealthy: row.unhealthy.map(unhealthyOf),
    };
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
