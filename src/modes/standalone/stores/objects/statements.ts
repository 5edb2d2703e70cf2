import type { Statement } from '../../database/database.js';
import { OBJECT_COLUMNS } from './object-row.js';

export const GET: Statement = {
  name: 'object_get',
  text: `
  SELECT ${OBJECT_COLUMNS}
    FROM objects o LEFT JOIN object_status s USING (uid)
   WHERE o.kind = $1 AND o.namespace = $2 AND o.name = $3`,
};

/** Not FOR UPDATE: the engine may go on writing the status, whose foreign key takes a share of the row. */
export const LOCK: Statement = {
  name: 'object_lock',
  text: `${GET.text} FOR NO KEY UPDATE OF o`,
};

/** No row comes back when somebody else has just created the object. */
export const INSERT: Statement = {
  name: 'object_insert',
  text: `
  WITH o AS (
    INSERT INTO objects (kind, namespace, name, labels, annotations, spec, solution_ref, target_ref, target_dynamic)
    VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6::jsonb, $7, $8, $9)
    ON CONFLICT ON CONSTRAINT objects_key DO NOTHING
    RETURNING *
  ), s AS (
    INSERT INTO object_status (uid) SELECT uid FROM o RETURNING *
  )
  SELECT ${OBJECT_COLUMNS} FROM o JOIN s USING (uid)`,
};

/** $2: whether the spec changed. */
export const UPDATE: Statement = {
  name: 'object_update',
  text: `
  UPDATE objects
     SET generation = generation + CASE WHEN $2::boolean THEN 1 ELSE 0 END,
         version = nextval('object_version_seq'),
         labels = $3::jsonb, annotations = $4::jsonb, spec = $5::jsonb,
         solution_ref = $6, target_ref = $7, target_dynamic = $8
   WHERE uid = $1
  RETURNING generation, version`,
};

export const MARK_DELETED: Statement = {
  name: 'object_mark_deleted',
  text: `
  UPDATE objects
     SET generation = generation + 1, version = nextval('object_version_seq'), deletion_timestamp = now()
   WHERE uid = $1
  RETURNING generation, version, deletion_timestamp`,
};

export const REMOVE: Statement = {
  name: 'object_remove',
  text: `DELETE FROM objects WHERE uid = $1`,
};

/** What the owner leaves behind when its ledger is given up. */
export const RELEASE_LEDGER: Statement = {
  name: 'object_release_ledger',
  text: `
  DELETE FROM ledger WHERE owner_uid = $1
  RETURNING component, target_name AS target, provider`,
};

/** $4: properties to merge. The clock may not run backwards for those who watch lastModified. */
// The row is held while its status is written: a removal that commits in between would leave a status without an object.
export const REPORT: Statement = {
  name: 'object_report',
  text: `
  WITH o AS MATERIALIZED (
    SELECT * FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3 FOR KEY SHARE
  ), s AS (
    INSERT INTO object_status (uid, reported, reported_at)
    SELECT uid, $4::jsonb, clock_timestamp() FROM o
    ON CONFLICT (uid) DO UPDATE
       SET reported = coalesce(object_status.reported, '{}') || excluded.reported,
           reported_at = greatest(object_status.reported_at, excluded.reported_at)
    RETURNING *
  )
  SELECT ${OBJECT_COLUMNS} FROM o JOIN s USING (uid)`,
};
