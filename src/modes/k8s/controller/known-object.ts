import {
  intervalOf,
  REASONS,
  retryOf,
  type DeployableKind,
  type IntervalDefaults,
  type ReasonCode,
  type ReconciliationPolicy,
} from '@symphony/model';
import type { KnownObject } from '../lanes/index.js';
import { OrderAnnotation, toStored, type CustomObject } from '../objects/custom-object.js';
import { openOrders } from '../runs/handled-orders.js';

/** What the lane of an object begins with, from the object itself: nothing else outlives the leader. Pure. */
export function knownObject(
  kind: DeployableKind,
  object: CustomObject,
  intervals: IntervalDefaults,
): KnownObject {
  const { namespace, name, generation, deletionTimestamp, spec, status } = toStored(kind, object);
  const { engine } = status;
  const deleting = deletionTimestamp !== undefined;
  const current =
    engine !== undefined &&
    engine.observedGeneration === generation &&
    (engine.status === 'Succeeded' || engine.status === 'Failed') &&
    openOrders(object).size === 0 &&
    !deleting;
  const known: KnownObject = {
    kind,
    namespace,
    name,
    generation,
    action: deleting ? 'delete' : 'update',
    suspended: isSuspended(object),
  };
  const { deploymentHash } = object.status ?? {};
  if (deploymentHash !== undefined) known.lastHash = deploymentHash;
  const { reconciliationPolicy } = spec as { reconciliationPolicy?: ReconciliationPolicy };
  const intervalMs = intervalOf(reconciliationPolicy, intervals);
  if (intervalMs !== undefined) known.intervalMs = intervalMs;
  if (!current) return known;
  const code = isReason(engine.reason) ? engine.reason : 'InternalError';
  const result = resultOf(engine.status, code);
  return { ...known, last: { result, reason: { code, message: engine.statusDetails ?? '' } } };
}

export function isSuspended({ metadata }: CustomObject): boolean {
  return metadata.annotations?.[OrderAnnotation.Suspend] === 'true';
}

function resultOf(word: string, code: ReasonCode): 'succeeded' | 'waiting' | 'retry' {
  if (word === 'Succeeded') return 'succeeded';
  return retryOf(code) === 'wait-for-change' ? 'waiting' : 'retry';
}

function isReason(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
