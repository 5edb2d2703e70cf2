import {
  type InstanceSpec,
  type ObjectKind,
  type SpecByKind,
  type StoredObject,
  type StoredStatus,
  VERSION_SEPARATOR,
} from '@symphony/model';
import type { QueryResultRow } from 'pg';

/** Columns of an object with its status; `o` is objects, `s` is object_status. */
export const OBJECT_COLUMNS = `o.uid, o.kind, o.namespace, o.name, o.generation, o.version, o.labels, o.annotations, o.spec,
  o.created_at, o.deletion_timestamp, s.engine, s.reported, s.reported_at`;

/** As the driver returns it: bigint as text, jsonb parsed, timestamptz as Date. */
export interface ObjectRow extends QueryResultRow {
  uid: string;
  kind: string;
  namespace: string;
  name: string;
  generation: string;
  version: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: object;
  created_at: Date;
  deletion_timestamp: Date | null;
  engine: StoredStatus['engine'] | null;
  reported: Record<string, string> | null;
  reported_at: Date | null;
}

export function toObject<K extends ObjectKind>(row: ObjectRow): StoredObject<K> {
  return {
    kind: row.kind as K,
    namespace: row.namespace,
    name: row.name,
    uid: row.uid,
    generation: Number(row.generation),
    version: row.version,
    labels: row.labels,
    annotations: row.annotations,
    spec: row.spec as SpecByKind[K],
    status: statusOf(row),
    createdAt: row.created_at.toISOString(),
    ...(row.deletion_timestamp ? { deletionTimestamp: row.deletion_timestamp.toISOString() } : {}),
  };
}

function statusOf(row: ObjectRow): StoredStatus {
  const status: StoredStatus = {};
  if (row.engine) status.engine = row.engine;
  if (row.reported && row.reported_at) {
    status.reported = { properties: row.reported, lastModified: row.reported_at.toISOString() };
  }
  return status;
}

/** What an object refers to, as the fan-out looks it up. */
export interface References {
  solution: string | null;
  target: string | null;
  dynamic: boolean;
}

/** `a:b` and `a-v-b` mean the same object, so both are stored as `a-v-b`: one index finds them. */
export function referencesOf(kind: ObjectKind, spec: object): References {
  if (kind !== 'Instance') return { solution: null, target: null, dynamic: false };
  const { solution, target } = spec as InstanceSpec;
  const name = target?.name ?? '';
  const pattern = /[*%]/.test(name);
  return {
    solution: solution.replaceAll(':', VERSION_SEPARATOR),
    target: name === '' || pattern ? null : name.replaceAll(':', VERSION_SEPARATOR),
    dynamic: pattern || Object.keys(target?.selector ?? {}).length > 0,
  };
}
