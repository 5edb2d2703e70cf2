/** What every stored object of Kubernetes has. Times are RFC 3339 strings, as on the wire. */
interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  /** Opaque, but comparable as a decimal number within one resource type (see {@link compareVersions}). */
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  managedFields?: unknown[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** An object of Kubernetes; what it holds beside its metadata is the business of whoever knows its kind. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/**
 * One resource type that an API server serves, typed by the objects it holds.
 *
 * ```ts
 * const LEASES: ResourceType<Lease> = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
 * ```
 */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: it carries the type of the objects. */
  readonly holds?: T;
}

/** Names one object of a type; the namespace is left out for types without. */
export interface ObjectRef {
  name: string;
  namespace?: string;
}

/** One page of a list, or all of it. */
export interface KubeList<T extends KubeObject> {
  items: T[];
  /** The state that the list shows; where a watch goes on. The same for all pages of one list. */
  resourceVersion: string;
  /** Asks for the next page; undefined at the end. */
  continue: string | undefined;
}

export type WatchEvent<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Nothing that this watch selects has changed up to this version. */
  | { type: 'BOOKMARK'; resourceVersion: string };

export function apiVersionOf({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Sorts before zero, at zero or after zero as `a` is older than, equal to or newer than `b`; undefined when they cannot be compared. */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  // Without leading zeros the longer one is the larger one; versions may outgrow what a double keeps.
  return a.length - b.length || (a < b ? -1 : 1);
}

const DECIMAL = /^[1-9]\d*$/;
