import type { InstanceSpec } from '@symphony/model';
import { selectsTarget, type LaneOrder } from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';
import { orderUnlocked } from './orders.js';
import { orderWaiting } from './waiting.js';

const NEXT: Statement = {
  name: 'fan_out_next',
  text: `SELECT id, kind, namespace, name, uid, properties, reached, only_waiting FROM fan_outs ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`,
};

// A fan-out that begins now covers every write of the same object that committed before: their rows go, and what they say
// of the target's properties is taken over. Without this a burst of writes would order all dependents once per write.
const ABSORB: Statement = {
  name: 'fan_out_absorb',
  text: `
  DELETE FROM fan_outs WHERE id IN (
    SELECT id FROM fan_outs WHERE namespace = $1 AND kind = $2 AND name = $3 AND id <> $4 AND reached IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED)
  RETURNING properties, only_waiting`,
};

const ADVANCE: Statement = {
  name: 'fan_out_advance',
  text: `UPDATE fan_outs SET reached = $2, properties = $3::jsonb, only_waiting = $4 WHERE id = $1`,
};
const END: Statement = { name: 'fan_out_end', text: `DELETE FROM fan_outs WHERE id = $1` };

// References are stored with ":" written as "-v-", so that both spellings of a name are found by one look-up.
const OF_SOLUTION: Statement = {
  name: 'fan_out_of_solution',
  text: `
  SELECT name, generation, NULL AS target, true AS sure FROM objects
  WHERE kind = 'Instance' AND namespace = $1 AND solution_ref = $2 AND name > $3 ORDER BY name LIMIT $4`,
};

// Each branch is one index range in the order of names; their union is cut to a page.
const OF_TARGET: Statement = {
  name: 'fan_out_of_target',
  text: `
  SELECT name, max(generation) AS generation, (array_agg(target))[1] AS target, bool_or(sure) AS sure FROM (
    (SELECT name, generation, spec->'target' AS target, true AS sure FROM objects
     WHERE kind = 'Instance' AND namespace = $1 AND target_ref = $2 AND name > $3 ORDER BY name LIMIT $4)
    UNION ALL
    (SELECT name, generation, spec->'target', false FROM objects
     WHERE kind = 'Instance' AND namespace = $1 AND target_dynamic AND name > $3 ORDER BY name LIMIT $4)
    UNION ALL
    (SELECT o.name, o.generation, o.spec->'target', true
     FROM (SELECT DISTINCT owner_name FROM ledger
           WHERE target_uid = $5 AND owner_kind = 'Instance' AND owner_namespace = $1
             AND owner_name COLLATE "C" > $3) AS e
     JOIN objects o ON o.kind = 'Instance' AND o.namespace = $1 AND o.name = e.owner_name
     ORDER BY o.name LIMIT $4)) AS found
  GROUP BY name ORDER BY name LIMIT $4`,
};

interface FanOutRow {
  id: string;
  kind: 'Solution' | 'Target';
  namespace: string;
  name: string;
  uid: string;
  properties: Record<string, string>[];
  reached: string | null;
  /** Only those that wait to try again concern it: the target answers again, nothing was written. */
  only_waiting: boolean;
}

interface DependentRow {
  name: string;
  generation: string;
  target: InstanceSpec['target'] | null;
  /** Depends by name or by what is deployed; else the selector decides. */
  sure: boolean;
}

/**
 * Orders one page of the dependents of the oldest fan-out, in one transaction, so that a crash repeats at most a page.
 * @returns false when no fan-out waits
 */
export function expandFanOuts(database: Database, pageSize: number): Promise<boolean> {
  return database.transaction(async (tx) => {
    const [fanOut] = await tx.query<FanOutRow>(NEXT);
    if (!fanOut) return false;
    if (fanOut.reached === null) await absorb(tx, fanOut);
    const page = await dependentsOf(tx, fanOut, pageSize);
    const orders = ordersFor(fanOut, page);
    if (fanOut.only_waiting) await orderWaiting(tx, orders);
    else await orderUnlocked(tx, orders);
    const last = page.at(-1);
    if (last && page.length === pageSize) {
      await tx.query(ADVANCE, [fanOut.id, last.name, JSON.stringify(fanOut.properties), fanOut.only_waiting]);
    } else {
      await tx.query(END, [fanOut.id]);
    }
    return true;
  });
}

async function absorb(tx: Sql, fanOut: FanOutRow): Promise<void> {
  const others = await tx.query<Pick<FanOutRow, 'properties' | 'only_waiting'>>(ABSORB, [
    fanOut.namespace,
    fanOut.kind,
    fanOut.name,
    fanOut.id,
  ]);
  fanOut.only_waiting &&= others.every((row) => row.only_waiting);
  const sets = [fanOut, ...others].flatMap((row) => row.properties).map((set) => JSON.stringify(set));
  fanOut.properties = [...new Set(sets)].map((set) => JSON.parse(set) as Record<string, string>);
}

async function dependentsOf(tx: Sql, fanOut: FanOutRow, limit: number): Promise<DependentRow[]> {
  const reference = fanOut.name.replaceAll(':', '-v-');
  const from = fanOut.reached ?? '';
  return fanOut.kind === 'Solution'
    ? tx.query<DependentRow>(OF_SOLUTION, [fanOut.namespace, reference, from, limit])
    : tx.query<DependentRow>(OF_TARGET, [fanOut.namespace, reference, from, limit, fanOut.uid]);
}

function ordersFor(fanOut: FanOutRow, page: readonly DependentRow[]): LaneOrder[] {
  return page
    .filter((row) => row.sure || selectsTarget(row.target ?? undefined, fanOut))
    .map((row) => ({
      kind: 'Instance',
      namespace: fanOut.namespace,
      name: row.name,
      generation: Number(row.generation),
      action: 'update',
      cause: 'dependent',
    }));
}
