import { Annotation, canonicalJson, type StoredObject } from '@symphony/model';
import type { FanOut, LaneOrder } from '../queue/index.js';
import type { WriteEffects } from './object-store.js';

/** Fields of a spec that no dependent's deployment is made from. */
const OF_NO_CONCERN: Record<'Solution' | 'Target', ReadonlySet<string>> = {
  Solution: new Set(['displayName']),
  Target: new Set(['displayName', 'components', 'reconciliationPolicy']),
};

/** Annotations that a run reads; any other changes nothing that is deployed. */
const READ_BY_RUNS = [Annotation.Adopt, Annotation.AllowEmpty, Annotation.DeleteTimeout, Annotation.Guid];

/**
 * What a write, or a request of deletion, orders.
 * @param before undefined for a new object
 * @param after undefined for one that went at once
 * @param actor name of the user
 */
export function effectsOfWrite(
  before: StoredObject | undefined,
  after: StoredObject | undefined,
  actor?: string,
): WriteEffects {
  return { orders: ordersOf(before, after, actor), fanOuts: fanOutsOf(before, after) };
}

function ordersOf(
  before: StoredObject | undefined,
  after: StoredObject | undefined,
  actor: string | undefined,
): LaneOrder[] {
  if (!after || (after.kind !== 'Instance' && after.kind !== 'Target')) return [];
  if (before && !concernsRun(before, after)) return [];
  return [
    {
      kind: after.kind,
      namespace: after.namespace,
      name: after.name,
      generation: after.generation,
      action: after.deletionTimestamp ? 'delete' : 'update',
      cause: 'person',
      ...(actor === undefined ? {} : { actor }),
    },
  ];
}

function concernsRun(before: StoredObject, after: StoredObject): boolean {
  // Sending the same again is how Symphony's users ask for a run now.
  if (after.version === before.version) return true;
  if (after.generation !== before.generation) return true;
  return READ_BY_RUNS.some((name) => before.annotations[name] !== after.annotations[name]);
}

function fanOutsOf(before: StoredObject | undefined, after: StoredObject | undefined): FanOut[] {
  const object = after ?? before;
  if (!object || !isDependedOn(object)) return [];
  if (before && after && !concernsDependents(before, after)) return [];
  const { kind, namespace, name, uid } = object;
  const fanOut: FanOut = { kind, namespace, name, uid };
  if (kind === 'Target') {
    if (before) fanOut.propertiesBefore = propertiesOf(before);
    if (after) fanOut.propertiesAfter = propertiesOf(after);
  }
  return [fanOut];
}

function isDependedOn(object: StoredObject): object is StoredObject<'Solution'> | StoredObject<'Target'> {
  return object.kind === 'Solution' || object.kind === 'Target';
}

function concernsDependents(before: StoredObject, after: StoredObject): boolean {
  if (before.deletionTimestamp !== after.deletionTimestamp) return true;
  const ignored = OF_NO_CONCERN[after.kind === 'Solution' ? 'Solution' : 'Target'];
  return whatMatters(before.spec, ignored) !== whatMatters(after.spec, ignored);
}

function whatMatters(spec: object, ignored: ReadonlySet<string>): string {
  return canonicalJson(Object.fromEntries(Object.entries(spec).filter(([key]) => !ignored.has(key))));
}

function propertiesOf(target: StoredObject): Record<string, string> {
  return (target as StoredObject<'Target'>).spec.properties ?? {};
}
