import { REASONS, type ReasonCode } from '@symphony/model';
import {
  CAUSES,
  continueAfter,
  positionOf,
  reasonOf,
  type LaneKey,
  type LaneQuery,
  type LaneState,
  type LaneView,
} from '../../../../modules/queue/index.js';
import type { Sql, Statement } from '../../database/database.js';
import { READY } from './claims.js';

/** `LaneState` of a row of lanes that is called l. */
export const LANE_STATE = `CASE
    WHEN l.worker IS NOT NULL THEN 'running'
    WHEN l.suspended THEN 'suspended'
    WHEN l.due_at IS NOT NULL AND l.cause <> 3 THEN 'waiting'
    WHEN l.result = 'waiting' THEN 'stalled'
    ELSE 'idle' END`;

const COLUMNS = `
  l.id, l.kind, l.namespace, l.name, l.generation, l.deleting, l.cause, l.attempts, l.reason, l.message, l.due_at,
  l.claimed_at, l.worker, l.order_seq, l.done_seq, ${LANE_STATE} AS state`;

const FIND: Statement = {
  name: 'lane_find',
  text: `SELECT ${COLUMNS} FROM lanes l WHERE l.kind = $1 AND l.namespace = $2 AND l.name = $3`,
};

const LIST: Statement = {
  name: 'lane_list',
  text: `
  SELECT ${COLUMNS} FROM lanes l
  WHERE (l.kind, l.namespace, l.name) > ($1, $2, $3)
    AND ($4::text IS NULL OR l.kind = $4) AND ($5::text IS NULL OR l.namespace = $5)
    AND ($6::text IS NULL OR ${LANE_STATE} = $6)
  ORDER BY l.kind, l.namespace, l.name LIMIT $7`,
};

const DONE: Statement = {
  name: 'lane_done',
  text: `SELECT l.done_seq >= $4 AS done FROM lanes l WHERE l.kind = $1 AND l.namespace = $2 AND l.name = $3`,
};

const NEXT_DUE: Statement = {
  name: 'lane_next_due',
  text: `
  SELECT (extract(epoch FROM min(f.due_at) - now()) * 1000)::float8 AS ms
  FROM generate_series(0, $1::int) AS c (cause) CROSS JOIN LATERAL (
    SELECT l.due_at FROM lanes l WHERE l.cause = c.cause AND ${READY} ORDER BY l.due_at LIMIT 1) AS f`,
};

interface LaneRow {
  id: string;
  kind: 'Target' | 'Instance';
  namespace: string;
  name: string;
  generation: string;
  deleting: boolean;
  cause: number;
  attempts: number;
  reason: string | null;
  message: string | null;
  due_at: Date | null;
  claimed_at: Date | null;
  worker: string | null;
  order_seq: string;
  done_seq: string;
  state: LaneState;
}

export async function findLane(sql: Sql, key: LaneKey): Promise<LaneView | undefined> {
  const [row] = await sql.query<LaneRow>(FIND, [key.kind, key.namespace, key.name]);
  return row && viewOf(row);
}

/** Ordered by kind, namespace, name. */
export async function listLanes(sql: Sql, query: LaneQuery): Promise<{ items: LaneView[]; next?: string }> {
  const rows = await sql.query<LaneRow>(LIST, [
    ...positionOf(query.continue),
    query.kind ?? null,
    query.namespace ?? null,
    query.state ?? null,
    query.limit + 1,
  ]);
  const items = rows.slice(0, query.limit).map(viewOf);
  const last = items.at(-1);
  if (rows.length <= query.limit || !last) return { items };
  return { items, next: continueAfter(last) };
}

/** A lane that is gone has run all that was ordered. */
export async function isLaneDone(sql: Sql, key: LaneKey, seq: string): Promise<boolean> {
  const [row] = await sql.query<{ done: boolean }>(DONE, [key.kind, key.namespace, key.name, seq]);
  return row?.done ?? true;
}

/** Milliseconds until the next lane is due: 0 to `capMs`. */
export async function nextDueMs(sql: Sql, capMs: number, periodic: boolean): Promise<number> {
  const lastCause = CAUSES.length - (periodic ? 1 : 2);
  const [row] = await sql.query<{ ms: number | null }>(NEXT_DUE, [lastCause]);
  return Math.min(capMs, Math.max(0, row?.ms ?? capMs));
}

function viewOf(row: LaneRow): LaneView {
  return {
    id: row.id,
    kind: row.kind,
    namespace: row.namespace,
    name: row.name,
    state: row.state,
    generation: Number(row.generation),
    action: row.deleting ? 'delete' : 'update',
    cause: row.due_at || row.worker ? CAUSES[row.cause] : undefined,
    attempts: row.attempts,
    ...reasonOf(row.state, {
      reason: row.reason !== null && isReason(row.reason) ? row.reason : undefined,
      message: row.message ?? undefined,
    }),
    dueAt: row.due_at?.toISOString(),
    runningSince: row.claimed_at?.toISOString(),
    worker: row.worker ?? undefined,
    orderSeq: row.order_seq,
    doneSeq: row.done_seq,
  };
}

function isReason(code: string): code is ReasonCode {
  return Object.hasOwn(REASONS, code);
}
