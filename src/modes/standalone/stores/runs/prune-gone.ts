import type { Statement } from '../../database/database.js';
import { STATE_OF_GONE } from './postgres-summaries.js';

/** Housekeeping of what outlives its object for a while. Each statement: $1 the age in milliseconds, $2 how many at once. */

// Asked of the row itself as well, which may have got an order while the statement waited for it.
const isOver = (lane: string): string => `
  ${lane}.inline AND ${lane}.deleting AND ${lane}.result = 'succeeded' AND ${lane}.worker IS NULL AND ${lane}.due_at IS NULL
  AND ${lane}.ordered_at < now() - $1 * interval '1 ms'
  AND NOT EXISTS (SELECT FROM ledger e WHERE e.owner_uid = 'inline:' || ${lane}.namespace || ':' || ${lane}.name)`;

/** Lanes of posted deployments that were removed. */
const LANES: Statement = {
  name: 'prune_posted_lanes',
  text: `
  DELETE FROM lanes AS l
  WHERE l.id IN (SELECT g.id FROM lane_payloads p JOIN lanes g ON g.id = p.lane_id WHERE ${isOver('g')} LIMIT $2)
    AND ${isOver('l')} RETURNING 1`,
};

const SUMMARIES: Statement = {
  name: 'prune_summaries',
  text: `
  DELETE FROM summaries AS s
  WHERE (s.namespace, s.key) IN (
      SELECT namespace, key FROM summaries
      WHERE written_at < now() - $1 * interval '1 ms' AND state = ${STATE_OF_GONE} ORDER BY written_at LIMIT $2)
    AND s.state = ${STATE_OF_GONE} RETURNING 1`,
};

/** Breakers of targets that came with posted deployments, and those that a late run of a removed target told of. */
const HEALTH: Statement = {
  name: 'prune_health',
  text: `
  DELETE FROM target_health AS h
  WHERE h.target_uid IN (
      SELECT g.target_uid FROM target_health g
      WHERE g.updated_at < now() - $1 * interval '1 ms'
        AND NOT EXISTS (SELECT FROM ledger e WHERE e.target_uid = g.target_uid)
        AND NOT EXISTS (SELECT FROM objects o WHERE o.uid =
          CASE WHEN g.target_uid ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN g.target_uid::uuid END)
      LIMIT $2)
    AND h.updated_at < now() - $1 * interval '1 ms' RETURNING 1`,
};

export const PRUNE_GONE: readonly Statement[] = [LANES, SUMMARIES, HEALTH];
