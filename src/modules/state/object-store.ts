import type { DeployableKind, ObjectKind, SpecByKind, StoredObject } from '@symphony/model';
import type { FanOut, LaneOrder } from '../queue/index.js';

export interface ObjectKey<K extends ObjectKind = ObjectKind> {
  kind: K;
  namespace: string;
  name: string;
}

/** What a caller states about the stored version. All of it is optional; a stated one that does not hold refuses the write. */
export interface Precondition {
  /** From `If-Match`; a mismatch is a PreconditionFailedError (412). `*`: the object must exist; a list: any of them. */
  ifMatch?: string | readonly string[];
  /** From `If-None-Match: *`: the object must not exist (412). */
  mustNotExist?: boolean;
  /** From `metadata.etag` in the body; another stored version is a ConflictError (409). */
  etag?: string;
}

export interface ObjectWrite<K extends ObjectKind = ObjectKind> extends ObjectKey<K> {
  spec: SpecByKind[K];
  labels: Record<string, string>;
  /** As sent; stored ones that Symphony keeps are kept (`mergeAnnotations`). */
  annotations: Record<string, string>;
  precondition: Precondition;
  /** Checks rules that need the stored object (immutable fields); throws to refuse. Must be pure. */
  check?: (stored: StoredObject<K>) => void;
}

/** What a write has to order, in the same transaction. */
export interface WriteEffects {
  orders: LaneOrder[];
  fanOuts: FanOut[];
}

/** Decides, purely, what a change orders. `before` is undefined for a new object, `after` for one that went at once. */
export type EffectsOf = (before: StoredObject | undefined, after: StoredObject | undefined) => WriteEffects;

export interface WriteResult<K extends ObjectKind = ObjectKind> {
  /** The object after the write; for a removed record, as it was. */
  object: StoredObject<K>;
  created: boolean;
  /** False when what was sent equals what is stored: nothing was written then. */
  changed: boolean;
}

/** One term of a selector. */
export interface Requirement {
  /** A label's name, or a dotted path such as `spec.solution`, `metadata.name`, `status.status`. */
  key: string;
  operator: '=' | '!=' | 'exists' | 'notExists' | 'in' | 'notIn';
  values: string[];
}

export interface ListQuery {
  kind: ObjectKind;
  /** Undefined: all namespaces. */
  namespace?: string;
  labels?: Requirement[];
  fields?: Requirement[];
  /** 1 to 1000. Undefined: everything (callers page). */
  limit?: number;
  /** The opaque `next` of the page before. */
  continue?: string;
}

export interface ObjectPage<K extends ObjectKind = ObjectKind> {
  items: StoredObject<K>[];
  next?: string;
}

/**
 * Where objects live. Ordered by namespace, then name. Writes are atomic with what they order.
 * Errors: NotFoundError, ConflictError (also for a write to an object that is being deleted), PreconditionFailedError,
 * UnavailableError when the store cannot be reached.
 */
export abstract class ObjectStore {
  abstract get<K extends ObjectKind>(key: ObjectKey<K>): Promise<StoredObject<K> | undefined>;

  abstract list<K extends ObjectKind>(query: ListQuery & { kind: K }): Promise<ObjectPage<K>>;

  /** Creates or replaces the user's half: spec, labels, annotations. Status is kept. */
  abstract put<K extends ObjectKind>(write: ObjectWrite<K>, effects: EffectsOf): Promise<WriteResult<K>>;

  /**
   * Requests deletion. Deployable kinds are marked (generation +1) and go when their delete run has ended; others go at
   * once. Marking twice changes nothing.
   */
  abstract requestDeletion<K extends ObjectKind>(
    key: ObjectKey<K>,
    precondition: Precondition,
    effects: EffectsOf,
  ): Promise<WriteResult<K>>;

  /** Removes the record without removing what it deployed: ledger entries are released and returned as text. */
  abstract orphan(key: ObjectKey<DeployableKind>, precondition: Precondition): Promise<OrphanResult>;

  /**
   * Merges properties that a person or agent reports; never touches spec, generation or version.
   * @param component what became of a component that is pending: kept for the run of its owner, which is ordered with it
   */
  abstract report(
    key: ObjectKey<'Target'>,
    properties: Record<string, string>,
    component?: ComponentReport,
  ): Promise<StoredObject<'Target'>>;
}

/** What somebody reports of a component that a provider had accepted. */
export interface ComponentReport {
  component: string;
  state: 'succeeded' | 'failed';
  message: string;
  /** The provider's, where it gave one. */
  ticket?: string;
  /** Of the deployment that was carried out; a report on another one is left unused. */
  generation?: string;
  /** Name of the owner; undefined: whoever has such a component there. */
  instance?: string;
}

export interface OrphanResult {
  object: StoredObject;
  /** What was left behind, one line each: `<component> on <target> (<provider>)`. */
  left: string[];
}
