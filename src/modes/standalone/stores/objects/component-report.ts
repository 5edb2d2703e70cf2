import type { LaneOrder } from '../../../../modules/queue/index.js';
import type { ComponentReport, ObjectKey } from '../../../../modules/state/index.js';
import type { Sql, Statement } from '../../database/database.js';
import { orderUnlocked } from '../jobs/orders.js';

// Held until the end, as everybody locks an object before lanes.
const KEEP_TARGET: Statement = {
  name: 'report_keep_target',
  text: `SELECT uid::text AS uid FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3 FOR KEY SHARE`,
};

// What was accepted with a ticket wants that ticket; so does, or the generation, what is reported before the provider's own
// answer was written, since nothing else tells it from a report on what was asked for before.
const CONCERNED = `
  l.target_uid = $1 AND l.component = $2 AND l.state IN ('intent', 'removing')
    AND ($3::text IS NULL OR l.generation = $3)
    AND ($4::text IS NULL OR l.owner_name = $4)
    AND CASE WHEN l.pending IS NULL THEN $5::text IS NOT NULL OR $3::text IS NOT NULL
             WHEN l.pending ? 'ticket' THEN l.pending->>'ticket' = $5::text
             ELSE true END`;

const OWNERS: Statement = {
  name: 'report_owners',
  text: `
  SELECT DISTINCT l.owner_kind AS kind, l.owner_namespace AS namespace, l.owner_name AS name FROM ledger l
  WHERE ${CONCERNED}`,
};

const WRITE: Statement = {
  name: 'report_write',
  text: `
  UPDATE ledger l SET report = jsonb_build_object('at', clock_timestamp()) || $6::jsonb
  WHERE ${CONCERNED}`,
};

interface OwnerRow {
  kind: 'Instance' | 'Target' | 'Inline';
  namespace: string;
  name: string;
}

/**
 * Keeps what was reported of a component that is pending, and orders a run of its owner, which takes it up. The lanes before
 * the ledger, as in the writes of a run. A posted deployment has no lane to order: it is taken up when it is posted again.
 */
export async function reportComponent(
  tx: Sql,
  key: ObjectKey<'Target'>,
  { component, state, message, ticket, generation, instance }: ComponentReport,
): Promise<LaneOrder[]> {
  const [target] = await tx.query<{ uid: string }>(KEEP_TARGET, [key.kind, key.namespace, key.name]);
  if (!target) return [];
  const concerned = [target.uid, component, generation ?? null, instance ?? null, ticket ?? null];
  const owners = await tx.query<OwnerRow>(OWNERS, concerned);
  const orders = owners.flatMap(({ kind, namespace, name }): LaneOrder[] => {
    if (kind === 'Inline') return [];
    const actor = `report of ${component} on ${key.name}`;
    return [{ kind, namespace, name, generation: 0, action: 'update', cause: 'retry', actor }];
  });
  await orderUnlocked(tx, orders);
  const report = { state, message, ...(ticket === undefined ? {} : { ticket }) };
  await tx.query(WRITE, [...concerned, JSON.stringify(report)]);
  return orders;
}
