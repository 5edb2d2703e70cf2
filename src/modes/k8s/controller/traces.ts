import { Annotation, isPlainObject, type DeployableKind } from '@symphony/model';
import type { CustomObject } from '../objects/custom-object.js';
import { FINALIZERS, FINALIZERS_OF_OTHERS } from '../objects/finalizers.js';

/** As the API server notes who set which field; see `userAgent` of the client. */
const OURSELVES = 'symphony-engine';

/** What Symphony's own operator writes on objects, and nobody else does. */
const WRITTEN_BY_OPERATOR =
  /^(SummaryJobIdKey|(target\.fabric|instance\.solution(version)?)\.symphony\/(delete-)?started-at)$/;

/**
 * What shows that somebody else has deployed an object: Symphony's own operator, or this engine in a life of the object that a
 * backup tool did not bring back with it. A word for a person each; none for what is ours, or new. Pure.
 * @param object read live: caches leave out who set what
 */
export function tracesOfOthers(kind: DeployableKind, object: CustomObject): string[] {
  const { finalizers = [], annotations = {} } = object.metadata;
  if (isOurs(object)) return [];
  // A target without components has nothing that could have been deployed for it.
  if (kind === 'Target' && !hasComponents(object) && object.metadata.deletionTimestamp === undefined)
    return [];
  const names = [FINALIZERS[kind], ...FINALIZERS_OF_OTHERS[kind]];
  const held = finalizers.filter((name) => names.includes(name) && !isSetByUs(object, name));
  const written = Object.keys(annotations).filter((name) => WRITTEN_BY_OPERATOR.test(name));
  return [...held.map((name) => `finalizer ${name}`), ...written.map((name) => `annotation ${name}`)];
}

/** On the object or on its namespace. */
export function isAdopted(annotations: Readonly<Record<string, string>> | undefined): boolean {
  return annotations?.[Annotation.Adopt] === 'true';
}

/** A run of ours has said something of it, and not that it is somebody else's. */
function isOurs({ status }: CustomObject): boolean {
  return status?.epoch !== undefined && status.reason !== 'NotAdopted';
}

function hasComponents({ spec }: CustomObject): boolean {
  const { components } = { ...spec } as { components?: unknown[] };
  return (components ?? []).length > 0;
}

/** Where nobody noted it, there is no telling, and nothing is held against the object. */
function isSetByUs({ metadata: { managedFields = [] } }: CustomObject, finalizer: string): boolean {
  if (managedFields.length === 0) return true;
  return managedFields.some(
    (entry) =>
      isPlainObject(entry) &&
      entry['manager'] === OURSELVES &&
      at(entry, 'fieldsV1', 'f:metadata', 'f:finalizers', `v:"${finalizer}"`) !== undefined,
  );
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isPlainObject(inner) ? inner[key] : undefined), value);
}
