import {
  refuseOlderJob,
  storedObjectExists,
  type InlinePayload,
  type LaneOrder,
  type OrderedLane,
} from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';
import { orderLanes } from './orders.js';

const READ: Statement = {
  name: 'lane_payloads_read',
  text: `
  SELECT lane_id, job_id, active_target, deployment FROM lane_payloads
  WHERE lane_id = ANY ($1::bigint[]) AND deployment <> 'null'`,
};

// The job id stays for as long as the lane does: an older deployment that comes late must not bring back what was removed.
const FORGET: Statement = {
  name: 'lane_payload_forget',
  text: `
  UPDATE lane_payloads p SET deployment = 'null', active_target = NULL
  FROM lanes l WHERE p.lane_id = $1 AND l.id = p.lane_id AND l.order_seq = l.claimed_seq`,
};

const JOB_ID: Statement = {
  name: 'lane_payload_job_id',
  text: `SELECT job_id FROM lane_payloads WHERE lane_id = $1`,
};

const WRITE: Statement = {
  name: 'lane_payload_write',
  text: `
  INSERT INTO lane_payloads (lane_id, job_id, active_target, deployment) VALUES ($1, $2, $3, $4::jsonb)
  ON CONFLICT (lane_id) DO UPDATE
    SET job_id = excluded.job_id, active_target = excluded.active_target, deployment = excluded.deployment`,
};

const STORED: Statement = {
  name: 'lane_stored_object',
  text: `SELECT 1 AS found FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3`,
};

/**
 * Forgets what was posted, passwords and all, when nothing of it is deployed any more; not what was posted meanwhile. In the
 * transaction that completes the lane, which is locked.
 */
export async function forgetPayload(tx: Sql, laneId: string): Promise<void> {
  await tx.query(FORGET, [laneId]);
}

/** Those of claimed lanes; read after the claim, so never older than the order that the claim covers. */
export async function inlinePayloads(
  database: Database,
  laneIds: readonly string[],
): Promise<Map<string, InlinePayload>> {
  if (laneIds.length === 0) return new Map();
  const rows = await database.query<{
    lane_id: string;
    job_id: string;
    active_target: string | null;
    deployment: unknown;
  }>(READ, [laneIds]);
  return new Map(
    rows.map((row) => [
      row.lane_id,
      {
        deployment: row.deployment,
        jobId: row.job_id,
        ...(row.active_target === null ? {} : { activeTarget: row.active_target }),
      },
    ]),
  );
}

/**
 * Orders a posted deployment in the caller's transaction. The lane is locked first; whoever creates the object meanwhile
 * waits at the lane, and its order then replaces this one.
 * @returns its lane with the number of the order
 */
export async function orderInlineLane(
  tx: Sql,
  order: LaneOrder & { payload: InlinePayload },
): Promise<OrderedLane & { seq: string }> {
  const [lane] = await orderLanes(tx, [order]);
  if (!lane) throw new Error('an order returned no lane');
  const stored = await tx.query(STORED, [order.kind, order.namespace, order.name]);
  if (stored.length > 0) throw storedObjectExists(order);
  const [previous] = await tx.query<{ job_id: string }>(JOB_ID, [lane.id]);
  if (previous) refuseOlderJob(previous.job_id, order.payload.jobId);
  const { deployment, jobId, activeTarget } = order.payload;
  await tx.query(WRITE, [lane.id, jobId, activeTarget ?? null, JSON.stringify(deployment)]);
  return lane;
}
