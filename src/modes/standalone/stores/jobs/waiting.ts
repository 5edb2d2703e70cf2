import type { LaneKey, LaneOrder } from '../../../../modules/queue/index.js';
import type { Sql, Statement } from '../../database/database.js';
import { orderUnlocked } from './orders.js';

// One that runs may have found the target out of reach before it answered again: it runs once more.
const WAITING: Statement = {
  name: 'lane_waiting',
  text: `
  SELECT k.kind, k.namespace, k.name FROM unnest($1::text[], $2::text[], $3::text[]) AS k (kind, namespace, name)
  CROSS JOIN LATERAL (
    SELECT FROM lanes l WHERE l.kind = k.kind AND l.namespace = k.namespace AND l.name = k.name
      AND NOT l.inline AND (l.worker IS NOT NULL OR l.result = 'retry') LIMIT 1) AS l`,
};

/** The order for a lane that waits for a target which answers again. */
export function waitingOrder(kind: LaneKey['kind'], namespace: string, name: string): LaneOrder {
  return { kind, namespace, name, generation: 0, action: 'update', cause: 'dependent' };
}

/** Orders those of the lanes that wait to try again, or run at this moment; the others have nothing to gain. */
export async function orderWaiting(tx: Sql, orders: readonly LaneOrder[]): Promise<void> {
  if (orders.length === 0) return;
  const rows = await tx.query<LaneKey>(WAITING, [
    orders.map((order) => order.kind),
    orders.map((order) => order.namespace),
    orders.map((order) => order.name),
  ]);
  const waiting = new Set(rows.map(keyText));
  await orderUnlocked(
    tx,
    orders.filter((order) => waiting.has(keyText(order))),
  );
}

function keyText({ kind, namespace, name }: LaneKey): string {
  return JSON.stringify([kind, namespace, name]);
}
