import type { DeployableKind, ObjectKind } from '@symphony/model';
import type { LaneOrder } from '../../../modules/queue/index.js';
import { effectsOfWrite, type WriteEffects } from '../../../modules/state/index.js';
import { toStored, type CustomObject } from '../objects/custom-object.js';
import { actorOf, openOrders } from '../runs/handled-orders.js';

/**
 * What a change that was seen orders: the same as the write would have in standalone mode, and what its annotations ask for.
 * A change of the status alone orders nothing. Pure.
 * @param before undefined for what appeared
 * @param after undefined for what went
 */
export function effectsOfChange<K extends ObjectKind>(
  kind: K,
  before: CustomObject<K> | undefined,
  after: CustomObject<K> | undefined,
): WriteEffects {
  const stored = { before: before && toStored(kind, before), after: after && toStored(kind, after) };
  const same = stored.before !== undefined && stored.before.version === stored.after?.version;
  const effects = same ? { orders: [], fanOuts: [] } : effectsOfWrite(stored.before, stored.after);
  if (!after || !isDeployable(kind)) return effects;
  const request = newRequest(before, after);
  if (request === undefined) return effects;
  return { ...effects, orders: [orderOf(kind, after, request)] };
}

/** An order that stands on the object now and did not before. */
function newRequest(before: CustomObject | undefined, after: CustomObject): string | undefined {
  for (const [order, request] of openOrders(after)) {
    if (before?.metadata.annotations?.[order] !== request) return request;
  }
  return undefined;
}

function orderOf(kind: DeployableKind, object: CustomObject, request: string): LaneOrder {
  const { namespace, name, generation, deletionTimestamp } = toStored(kind, object);
  const actor = actorOf(request);
  return {
    kind,
    namespace,
    name,
    generation,
    action: deletionTimestamp === undefined ? 'update' : 'delete',
    cause: 'person',
    ...(actor === undefined ? {} : { actor }),
  };
}

function isDeployable(kind: ObjectKind): kind is DeployableKind {
  return kind === 'Target' || kind === 'Instance';
}
