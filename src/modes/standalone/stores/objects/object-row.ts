import { type ObjectKind, type SpecByKind, type StoredObject, type StoredStatus } from '@symphony/model';
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
