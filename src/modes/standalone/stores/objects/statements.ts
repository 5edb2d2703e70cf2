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

const lockOrInsert = (name: string, lock: string): Statement => ({
  name,
  text: `
  WITH i AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS i (
      kind text, namespace text, name text, fresh boolean, labels jsonb, annotations jsonb, spec jsonb,
      solution text, target text, dynamic boolean)
  ), old AS MATERIALIZED (
    SELECT o.* FROM i CROSS JOIN LATERAL (
      SELECT * FROM objects o WHERE o.kind = i.kind AND o.namespace = i.namespace AND o.name = i.name ${lock}) AS o
  ), new AS (
    INSERT INTO objects (kind, namespace, name, labels, annotations, spec, solution_ref, target_ref, target_dynamic)
    SELECT i.kind, i.namespace, i.name, i.labels, i.annotations, i.spec, i.solution, i.target, i.dynamic
      FROM i
     WHERE i.fresh AND NOT EXISTS (
       SELECT FROM old WHERE old.kind = i.kind AND old.namespace = i.namespace AND old.name = i.name)
     ORDER BY i.kind COLLATE "C", i.namespace COLLATE "C", i.name COLLATE "C"
    ON CONFLICT ON CONSTRAINT objects_key DO NOTHING
    RETURNING *
  ), s AS (
    INSERT INTO object_status (uid) SELECT uid FROM new RETURNING *
  )
  SELECT ${OBJECT_COLUMNS}, true AS made FROM new o JOIN s USING (uid)
  UNION ALL
  SELECT ${OBJECT_COLUMNS}, false
    FROM old o LEFT JOIN LATERAL (SELECT * FROM object_status WHERE uid = o.uid LIMIT 1) AS s ON true`,
});

/**
 * Locks objects, and makes those that are not there and may be made. No row comes back for one that somebody else has just
 * created. The status is looked up by a sub-select, so that it goes by the index whatever the planner believes.
 */
export const LOCK_OR_INSERT = lockOrInsert('object_lock_or_insert', 'FOR NO KEY UPDATE');

/** The same, and no row for one that somebody else has locked. */
export const LOCK_OR_INSERT_FREE = lockOrInsert(
  'object_lock_or_insert_free',
  'FOR NO KEY UPDATE SKIP LOCKED',
);

/** Of objects that are locked: the upsert always updates, and goes by the index (stores/jobs/claims.ts). */
export const REPLACE: Statement = {
  name: 'object_replace',
  text: `
  INSERT INTO objects AS o (uid, kind, namespace, name, generation, version, labels, annotations, spec, solution_ref,
                            target_ref, target_dynamic)
  SELECT i.uid, i.kind, i.namespace, i.name, i.generation, nextval('object_version_seq'), i.labels, i.annotations, i.spec,
         i.solution, i.target, i.dynamic
    FROM jsonb_to_recordset($1::jsonb) AS i (
      uid uuid, kind text, namespace text, name text, generation bigint, labels jsonb, annotations jsonb, spec jsonb,
      solution text, target text, dynamic boolean)
  ON CONFLICT ON CONSTRAINT objects_pk DO UPDATE
     SET generation = excluded.generation, version = excluded.version, labels = excluded.labels,
         annotations = excluded.annotations, spec = excluded.spec, solution_ref = excluded.solution_ref,
         target_ref = excluded.target_ref, target_dynamic = excluded.target_dynamic
  RETURNING o.uid, o.version`,
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

/** Of instances that were just made: those under whose name a posted deployment is at work, or has something deployed. */
export const TAKEN_BY_POSTED: Statement = {
  name: 'object_taken_by_posted',
  text: `
  SELECT i.uid FROM jsonb_to_recordset($1::jsonb) AS i (uid text, namespace text, name text)
  LEFT JOIN LATERAL (
    SELECT true AS found FROM ledger WHERE owner_uid = 'inline:' || i.namespace || ':' || i.name LIMIT 1) AS e ON true
  LEFT JOIN LATERAL (
    SELECT true AS found FROM lanes
    WHERE kind = 'Instance' AND namespace = i.namespace AND name = i.name AND inline
      AND (worker IS NOT NULL OR due_at IS NOT NULL) LIMIT 1) AS l ON true
  WHERE e.found OR l.found`,
};

/** What the owner leaves behind when its ledger is given up, and what everybody leaves on a target that is. */
export const RELEASE_LEDGER: Statement = {
  name: 'object_release_ledger',
  text: `
  DELETE FROM ledger WHERE owner_uid = $1 OR target_uid = $1
  RETURNING component, target_name AS target, provider`,
};

/** Stored objects that have something on a target, beside the target itself. */
export const OWNERS_ON_TARGET: Statement = {
  name: 'object_owners_on_target',
  text: `
  SELECT o.kind, o.namespace, o.name, o.generation, o.deletion_timestamp IS NOT NULL AS deleting
  FROM (SELECT DISTINCT owner_kind AS kind, owner_namespace AS namespace, owner_name AS name
        FROM ledger WHERE target_uid = $1 AND owner_uid <> $1) AS l
  JOIN objects o USING (kind, namespace, name)`,
};

/** Kept for whoever asks for it, until it has the age that housekeeping lets go. */
export const SUMMARY_OF_GONE: Statement = {
  name: 'object_summary_of_gone',
  text: `UPDATE summaries SET state = $3 WHERE namespace = $1 AND key = $2`,
};

export const FORGET_HEALTH: Statement = {
  name: 'object_forget_health',
  text: `DELETE FROM target_health WHERE target_uid = $1`,
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
