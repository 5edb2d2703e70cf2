import type { Statement } from '../../database/database.js';

/**
 * For each wanted slot the lowest free number of its target. Two that pick the same one meet at the primary key, and one of
 * them gets nothing and asks again: no lock is held, and no two ever have the same.
 */
const take = (name: string, worker: string): Statement => ({
  name,
  text: `
  INSERT INTO target_slots (target_uid, slot, worker, call)
  SELECT w.target_uid, f.slot, $1, w.call
  FROM jsonb_to_recordset($2::jsonb) AS w (target_uid text, bound int, nth int, call bigint)
  CROSS JOIN LATERAL (
    SELECT n AS slot FROM generate_series(1, w.bound) AS n
    WHERE NOT EXISTS (SELECT FROM target_slots s WHERE s.target_uid = w.target_uid AND s.slot = n)
    ORDER BY n OFFSET w.nth LIMIT 1) AS f
  WHERE ${worker}
  ON CONFLICT DO NOTHING
  RETURNING call`,
});

// A worker whose lease has ended takes nothing more. Nobody takes anything while a worker that lives believes to be alone: its
// calls are not in the table yet.
export const TAKE = take(
  'slot_take',
  `EXISTS (SELECT FROM workers w WHERE w.id = $1 AND w.lease_until > now())
     AND NOT EXISTS (SELECT FROM workers o WHERE o.id <> $1 AND NOT o.shares AND o.lease_until > now())`,
);

/** Of a worker that was alone until now: the calls that it has under way already. */
export const BRING_IN = take('slot_bring_in', 'true');

/** Whoever frees a slot that is wanted tells the others. */
export const WANT: Statement = {
  name: 'slot_want',
  text: `
  WITH held AS MATERIALIZED (
    SELECT target_uid, slot FROM target_slots WHERE target_uid = ANY ($1::text[])
    ORDER BY target_uid, slot FOR NO KEY UPDATE)
  UPDATE target_slots s SET wanted = true FROM held h WHERE s.target_uid = h.target_uid AND s.slot = h.slot
  RETURNING s.target_uid, s.worker, s.call,
            extract(epoch FROM clock_timestamp() - s.taken_at)::float8 * 1000 AS age_ms`,
};

export const FREE: Statement = {
  name: 'slot_free',
  text: `
  WITH ours AS MATERIALIZED (
    SELECT s.target_uid, s.slot
    FROM unnest($1::text[], $2::bigint[]) AS f (worker, call) JOIN target_slots s USING (worker, call)
    ORDER BY s.target_uid, s.slot FOR UPDATE OF s)
  DELETE FROM target_slots s USING ours o WHERE s.target_uid = o.target_uid AND s.slot = o.slot
  RETURNING s.target_uid, s.wanted`,
};

export const OTHERS: Statement = {
  name: 'slot_others',
  text: `SELECT 1 AS other FROM workers WHERE id <> $1 LIMIT 1`,
};

/** Conflicts with whatever changes the table, so that nobody registers between the look and the write. */
export const LOCK_WORKERS: Statement = {
  name: 'slot_lock_workers',
  text: `LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE`,
};

export const BE_ALONE: Statement = {
  name: 'slot_be_alone',
  text: `
  UPDATE workers SET shares = false WHERE id = $1 AND NOT EXISTS (SELECT FROM workers o WHERE o.id <> $1)
  RETURNING id`,
};

export const SHARE: Statement = {
  name: 'slot_share',
  text: `UPDATE workers SET shares = true WHERE id = $1 RETURNING id`,
};
