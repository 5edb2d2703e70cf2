import {
  fieldsOf,
  hashOf,
  type ObjectKind,
  ObjectStatus,
  type SpecByKind,
  type StoredObject,
  type StoredStatus,
} from '@symphony/model';
import type { KubeObject, ResourceType } from '../client/index.js';
import { INSTANCES, SOLUTION_CONTAINERS, SOLUTIONS, TARGETS, type CustomResource } from '../crds/index.js';
import type { ResourceStatus } from '../crds/index.js';

/** An object of one of Symphony's kinds, as the API server has it. */
export interface CustomObject<K extends ObjectKind = ObjectKind> extends KubeObject {
  spec?: SpecByKind[K];
  status?: Partial<ResourceStatus>;
}

function resourceTypeOf<K extends ObjectKind>(resource: CustomResource): ResourceType<CustomObject<K>> {
  const { group, kind, plural } = resource;
  return { group, version: 'v1', kind, plural, namespaced: true };
}

/** Where the objects of each kind are. */
const OBJECT_TYPES: { readonly [K in ObjectKind]: ResourceType<CustomObject<K>> } = {
  Target: resourceTypeOf<'Target'>(TARGETS),
  Solution: resourceTypeOf<'Solution'>(SOLUTIONS),
  Instance: resourceTypeOf<'Instance'>(INSTANCES),
  SolutionContainer: resourceTypeOf<'SolutionContainer'>(SOLUTION_CONTAINERS),
};

export function typeOf<K extends ObjectKind>(kind: K): ResourceType<CustomObject<K>> {
  return OBJECT_TYPES[kind];
}

/** Annotations by which the engine itself notes orders: they are nobody's half, so no precondition speaks of them. */
export const OrderAnnotation = {
  /** Any new value orders a run now; through REST it is `<id>/<user>`. */
  Reconcile: 'symphony/reconcile',
  /** `"true"` holds the runs of the object back. */
  Suspend: 'symphony/suspend',
} as const;

/** What REST has written, as opposed to what people set: `requestOf`. */
const MADE_BY_REST = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/|$)/;

/** The orders of an object that were given through REST. They are the engine's own, and no client has to know or resend them. */
export function ordersByRest({ metadata }: CustomObject): Record<string, string> {
  const request = metadata.annotations?.[OrderAnnotation.Reconcile];
  return request !== undefined && MADE_BY_REST.test(request) ? { [OrderAnnotation.Reconcile]: request } : {};
}

const OF_ORDERS: ReadonlySet<string> = new Set(Object.values(OrderAnnotation));

/** The object as the modules know it. The spec is as stored: whoever acts on it has it checked (see `checkedSpec`). */
export function toStored<K extends ObjectKind>(kind: K, object: CustomObject<K>): StoredObject<K> {
  const { metadata, spec, status } = object;
  const { labels = {}, deletionTimestamp } = metadata;
  const ours = ordersByRest(object);
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => !(name in ours)),
  );
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 1,
    version: versionOf(object),
    labels,
    annotations,
    // Every kind may leave it out: a container has none, and a target needs none.
    spec: spec ?? ({} as SpecByKind[K]),
    status: storedStatusOf(status),
    createdAt: metadata.creationTimestamp ?? '',
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  };
}

/** Of the objects as they were read: nobody changes one, and those in the caches are looked at by each list and each run. */
const VERSIONS = new WeakMap<CustomObject, string>();

/**
 * The ETag: of the user's half only, so that the engine's writes never make a precondition fail. The server's
 * `resourceVersion` would, as it changes with each status.
 */
function versionOf(object: CustomObject): string {
  const known = VERSIONS.get(object);
  if (known !== undefined) return known;
  const { uid, generation, labels = {}, annotations = {}, deletionTimestamp } = object.metadata;
  const ofUsers = Object.fromEntries(Object.entries(annotations).filter(([name]) => !OF_ORDERS.has(name)));
  // The generation stands for the spec: the server counts its changes.
  const version = hashOf([uid, generation, labels, ofUsers, deletionTimestamp ?? '']).slice(0, 20);
  VERSIONS.set(object, version);
  return version;
}

/** What a status says in every mode. */
const OF_STATUS: ReadonlySet<string> = new Set(fieldsOf(ObjectStatus).map(({ name }) => name));

/** What people and agents report lies in `properties`, beside what the engine says. */
function storedStatusOf(status: Partial<ResourceStatus> = {}): StoredStatus {
  const { properties, reportedAt, ...others } = status;
  // What is remembered beside it is no part of what a run compares with.
  const shown = Object.entries(others).filter(([name]) => OF_STATUS.has(name));
  const engine = Object.fromEntries(shown) as Partial<ObjectStatus>;
  return {
    // Whoever edits a status by hand may leave anything in it; without these two it tells nothing.
    ...(engine.status !== undefined && engine.provisioningStatus !== undefined
      ? { engine: engine as ObjectStatus }
      : {}),
    ...(properties || reportedAt
      ? { reported: { properties: { ...properties }, lastModified: reportedAt ?? '' } }
      : {}),
  };
}
