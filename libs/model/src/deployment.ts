import type { ComponentSpec } from './objects/component.js';
import type { BindingSpec, TargetSpec } from './objects/target.js';
import type { WireObject } from './objects/object.js';
import type { Reason } from './reasons.js';

/** Prefix of the name under which a target's own components are deployed. */
export const TARGET_RUNTIME_PREFIX = 'target-runtime-';

/** Whose deployment it is. `Inline`: a deployment that was posted, with no stored object behind it. */
export interface DeploymentOwner {
  kind: 'Instance' | 'Target' | 'Inline';
  namespace: string;
  /** The object's name; Symphony's instance name is `target-runtime-<name>` for a target. */
  name: string;
  uid: string;
}

/** Symphony's name of the deployed thing: the instance, or `target-runtime-<target>`. */
export function instanceNameOf(owner: DeploymentOwner): string {
  return owner.kind === 'Target' ? `${TARGET_RUNTIME_PREFIX}${owner.name}` : owner.name;
}

export interface DeploymentTarget {
  name: string;
  /** Identity of the target in the ledger; for inline deployments `inline:<namespace>:<name>`. */
  uid: string;
  spec: TargetSpec;
}

/** One component that belongs on one target. */
export interface Assignment {
  target: string;
  component: string;
  role: string;
  binding: BindingSpec;
  bindingHash: string;
  scope: string;
}

export interface TargetMismatch {
  target: string;
  /** A sentence: why this target did not match. */
  why: string;
}

/** A component that belongs on a target which offers no provider for it: nothing can be done there, and nothing is undone. */
export interface AssignmentGap {
  target: string;
  component: string;
  /** `RoleNotOffered`. */
  reason: Reason;
}

/** A component whose constraint did not hold on a target because something that it reads is not there. */
export interface ConstraintNote {
  target: string;
  component: string;
  /** A sentence: what was missing. */
  why: string;
}

/** The desired state of one owner, with expressions unresolved. */
export interface Deployment {
  owner: DeploymentOwner;
  /** Decimal text; of the object, or echoed from the posted deployment. */
  generation: string;
  /** Hash over everything that the desired state depends on; equal hashes mean an equal desired state. */
  hash: string;
  jobId: string;
  /** Everything is to be removed: deletion, `activeState: inactive`, or a posted removal. */
  removal: boolean;
  /** Why, when `removal` is set. */
  removalReason?: 'OwnerDeleting' | 'Inactive';
  dryRun: boolean;
  /** `symphony/allow-empty` is set. */
  allowEmpty: boolean;
  /** Each after those it depends on. */
  components: ComponentSpec[];
  /** Matched targets, by name. */
  targets: DeploymentTarget[];
  assignments: Assignment[];
  /** Pairs that have no provider; they count as desired, but cannot be applied. */
  gaps: AssignmentGap[];
  notes: ConstraintNote[];
  mismatches: TargetMismatch[];
  /** Set when a posted deployment concerns one target only: what is deployed on others is left alone. */
  onlyTarget?: string;
  /** The hash that a posted deployment carried, to be echoed; `hash` is always our own. */
  postedHash?: string;
  /** Parameters of the instance, which win over those of components. */
  parameters: Record<string, string>;
  /** Metadata of the solution under metadata of the instance. */
  metadata: Record<string, string>;
  /** What providers are shown as Symphony's DeploymentSpec. */
  solution: { name: string; state: PostedState };
  instance: PostedState;
}

/** A state object inside a DeploymentSpec, as posted or as stored. */
export type PostedState = Pick<WireObject, 'spec'> & {
  metadata: { name: string; namespace?: string; [key: string]: unknown };
  status?: object;
};

/** Symphony's DeploymentSpec on the wire: what scripts and remote providers read, what `/solution/reconcile` takes. */
export interface WireDeployment {
  solutionName: string;
  solution: PostedState;
  instance: PostedState;
  targets: Record<string, { metadata?: object; spec: object }>;
  assignments: Record<string, string>;
  activeTarget?: string;
  generation?: string;
  jobID?: string;
  objectNamespace?: string;
  hash?: string;
  isDryRun?: boolean;
  isInActive?: boolean;
}
