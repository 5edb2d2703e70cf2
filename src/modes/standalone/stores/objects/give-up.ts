import type { DeployableKind, StoredObject } from '@symphony/model';
import type { LaneOrder } from '../../../../modules/queue/index.js';
import { summaryKeyOf } from '../../../../modules/reconcile/index.js';
import { effectsOfWrite, type WriteEffects } from '../../../../modules/state/index.js';
import type { Sql } from '../../database/database.js';
import { insertFanOuts, orderUnlocked, removeLane } from '../jobs/orders.js';
import { STATE_OF_GONE } from '../runs/postgres-summaries.js';
import * as sql from './statements.js';

interface OwnerRow {
  kind: DeployableKind;
  namespace: string;
  name: string;
  generation: string;
  deleting: boolean;
}

/**
 * Forgets an object and what was deployed for it; of a target also what others have on it, who are ordered, since their
 * removals would call a target that nobody answers for. In the caller's transaction, which has locked the object.
 * @returns what was left behind, one line each, and what was ordered, to be told after the commit
 */
export async function giveUp(
  tx: Sql,
  object: StoredObject<DeployableKind>,
): Promise<{ left: string[]; effects: WriteEffects }> {
  // The record first: whoever is about to put something on the target has done it now, or learns that it is gone.
  await tx.query(sql.REMOVE, [object.uid]);
  const { orders, fanOuts } = effectsOfWrite(object, undefined);
  if (object.kind === 'Target') {
    orders.push(...(await tx.query<OwnerRow>(sql.OWNERS_ON_TARGET, [object.uid])).map(orderOf));
  }
  // The lanes before the ledger, as runs lock them: from then on none under way can write an entry that is released.
  await orderUnlocked(tx, orders);
  await removeLane(tx, object);
  const released = await tx.query<Record<'component' | 'target' | 'provider', string>>(sql.RELEASE_LEDGER, [
    object.uid,
  ]);
  await tx.query(sql.FORGET_HEALTH, [object.uid]);
  await tx.query(sql.SUMMARY_OF_GONE, [object.namespace, summaryKeyOf(object), STATE_OF_GONE]);
  await insertFanOuts(tx, fanOuts);
  const left = released.map(({ component, target, provider }) => `${component} on ${target} (${provider})`);
  return { left: left.toSorted(), effects: { orders, fanOuts } };
}

function orderOf({ kind, namespace, name, generation, deleting }: OwnerRow): LaneOrder {
  const action = deleting ? 'delete' : 'update';
  return { kind, namespace, name, generation: Number(generation), action, cause: 'dependent' };
}
