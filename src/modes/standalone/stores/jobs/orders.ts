import {
  CAUSES,
  type FanOut,
  type LaneKey,
  type LaneOrder,
  type OrderedLane,
} from '../../../../modules/queue/index.js';
import type { Sql, Statement } from '../../database/database.js';

/**
 * Locks, the same for everybody, so that there are no deadlocks: an object's row before its lane; several lanes in the
 * order of (kind, namespace, name); nothing else while a lane is locked but what belongs to its run.
 */

// While something waits in the lane (due_at is set) an order folds into it; else it is the only one. `due_at` is null
// during a run, so an order that arrives then stands alone and makes the lane due as soon as the run has ended.
// The newest order of a posted deployment is what counts, since its orders are numbered by their sender; for stored
// objects a deletion is never taken back.
const ORDER: Statement = {
  name: 'lane_order',
  text: `
  INSERT INTO lanes AS l (kind, namespace, name, inline, generation, deleting, cause, actor, order_seq, due_at)
  SELECT o.kind, o.namespace, o.name, o.inline, o.generation, o.deleting, o.cause, o.actor,
         nextval('lane_order_seq'), now() + o.delay_ms * interval '1 ms'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::boolean[], $7::smallint[],
              $8::text[], $9::float8[])
       AS o (kind, namespace, name, inline, generation, deleting, cause, actor, delay_ms)
  ORDER BY o.kind COLLATE "C", o.namespace COLLATE "C", o.name COLLATE "C"
  ON CONFLICT ON CONSTRAINT lanes_key DO UPDATE SET
    order_seq  = greatest(l.order_seq + 1, excluded.order_seq),
    inline     = excluded.inline,
    generation = CASE WHEN l.inline THEN excluded.generation ELSE greatest(l.generation, excluded.generation) END,
    deleting   = CASE WHEN l.inline THEN excluded.deleting ELSE l.deleting OR excluded.deleting END,
    cause      = CASE WHEN l.due_at IS NULL THEN excluded.cause ELSE least(l.cause, excluded.cause) END,
    actor      = CASE WHEN l.due_at IS NULL OR excluded.cause <= l.cause THEN excluded.actor ELSE l.actor END,
    look_at    = CASE WHEN l.due_at IS NOT NULL AND l.cause = 3 THEN l.due_at ELSE l.look_at END,
    ordered_at = CASE WHEN l.due_at IS NULL OR l.order_seq = l.claimed_seq THEN now() ELSE l.ordered_at END,
    due_at     = least(l.due_at, excluded.due_at),
    attempts   = 0
  RETURNING l.id, l.kind, l.namespace, l.name, l.order_seq AS seq, l.xmax = 0 AS inserted`,
};

const INSERT_FAN_OUTS: Statement = {
  name: 'fan_out_insert',
  text: `
  INSERT INTO fan_outs (kind, namespace, name, uid, properties)
  SELECT f->>'kind', f->>'namespace', f->>'name', f->>'uid', f->'properties'
  FROM jsonb_array_elements($1::jsonb) AS f`,
};

const REMOVE: Statement = {
  name: 'lane_remove',
  text: `DELETE FROM lanes WHERE kind = $1 AND namespace = $2 AND name = $3`,
};

const SUSPEND: Statement = {
  name: 'lane_suspend',
  text: `
  UPDATE lanes SET suspended = $4 WHERE kind = $1 AND namespace = $2 AND name = $3 AND NOT inline RETURNING id`,
};

const DROP_STRAYS: Statement = {
  name: 'lane_drop_strays',
  text: `
  DELETE FROM lanes AS l
  WHERE l.id = ANY ($1::bigint[]) AND NOT l.inline
    AND NOT EXISTS (SELECT FROM objects o WHERE (o.kind, o.namespace, o.name) = (l.kind, l.namespace, l.name))`,
};

export interface StoredOrder extends OrderedLane {
  id: string;
  seq: string;
  /** The lane did not exist before. */
  inserted: boolean;
}

/**
 * Folds orders into their lanes, in the caller's transaction. Whoever calls it tells a `JobWaker` of the result after the commit.
 * A person's or dependent's order ends the backoff of a failing lane.
 */
export async function orderLanes(sql: Sql, orders: readonly LaneOrder[]): Promise<StoredOrder[]> {
  if (orders.length === 0) return [];
  const folded = foldOrders(orders);
  return sql.query<StoredOrder>(ORDER, [
    folded.map((order) => order.kind),
    folded.map((order) => order.namespace),
    folded.map((order) => order.name),
    folded.map((order) => order.payload !== undefined),
    folded.map((order) => order.generation),
    folded.map((order) => order.action === 'delete'),
    folded.map((order) => CAUSES.indexOf(order.cause)),
    folded.map((order) => order.actor ?? null),
    folded.map((order) => Math.max(0, order.delayMs ?? 0)),
  ]);
}

/**
 * Orders objects that were read without a lock. One that was removed meanwhile took its lane along, and must not get
 * another: whoever makes an object of that name anew would inherit a generation that is not its own.
 */
export async function orderUnlocked(tx: Sql, orders: readonly LaneOrder[]): Promise<OrderedLane[]> {
  const lanes = await orderLanes(tx, orders);
  const inserted = lanes.filter((lane) => lane.inserted).map((lane) => lane.id);
  if (inserted.length > 0) await tx.query(DROP_STRAYS, [inserted]);
  return lanes;
}

/** Stores requests to order dependents, in the caller's transaction. Tell a `JobWaker` after the commit. */
export async function insertFanOuts(sql: Sql, fanOuts: readonly FanOut[]): Promise<void> {
  if (fanOuts.length === 0) return;
  const rows = fanOuts.map(({ kind, namespace, name, uid, propertiesBefore, propertiesAfter }) => ({
    kind,
    namespace,
    name,
    uid,
    properties: [propertiesBefore, propertiesAfter].filter((properties) => properties !== undefined),
  }));
  await sql.query(INSERT_FAN_OUTS, [JSON.stringify(rows)]);
}

/** Forgets a lane with its object, in the caller's transaction; a run under way is fenced from then on. */
export async function removeLane(sql: Sql, key: LaneKey): Promise<void> {
  await sql.query(REMOVE, [key.kind, key.namespace, key.name]);
}

/** @returns false when there is no such lane, or it is one of a posted deployment */
export async function suspendLane(sql: Sql, key: LaneKey, suspended: boolean): Promise<boolean> {
  const lanes = await sql.query(SUSPEND, [key.kind, key.namespace, key.name, suspended]);
  return lanes.length > 0;
}

/** One statement cannot fold two orders into one row: orders of the same lane are folded here first. */
function foldOrders(orders: readonly LaneOrder[]): LaneOrder[] {
  const byKey = new Map<string, LaneOrder>();
  for (const order of orders) {
    const key = JSON.stringify([order.kind, order.namespace, order.name]);
    const other = byKey.get(key);
    byKey.set(key, other ? fold(other, order) : order);
  }
  return [...byKey.values()];
}

function fold(older: LaneOrder, newer: LaneOrder): LaneOrder {
  const urgent = CAUSES.indexOf(newer.cause) <= CAUSES.indexOf(older.cause) ? newer : older;
  return {
    ...newer,
    generation: Math.max(older.generation, newer.generation),
    action: older.action === 'delete' || newer.action === 'delete' ? 'delete' : 'update',
    cause: urgent.cause,
    actor: urgent.actor,
    delayMs: Math.min(older.delayMs ?? 0, newer.delayMs ?? 0),
  };
}
