import type { ComponentSpec } from './objects/component.js';
import type { BindingSpec } from './objects/target.js';
import type { Reason } from './reasons.js';

export type ActionKind = 'create' | 'update' | 'delete' | 'keep';

/** One difference. Values of fields whose desired expression uses a secret are `•••` on both sides. */
export interface FieldDiff {
  /** For example `properties.image`. */
  path: string;
  before?: unknown;
  after?: unknown;
  masked?: boolean;
}

/** What to do with one component on one target. */
export interface Action {
  kind: ActionKind;
  /** Unique within the plan. */
  id: string;
  target: string;
  targetUid: string;
  component: string;
  role: string;
  reason: Reason;
  diff: FieldDiff[];
  /** Ids of actions that must have succeeded before. */
  requires: string[];
  /** Ids of actions that must have ended before, whatever their outcome. */
  follows: string[];
}

/** The actions for one (target, role, binding) that a provider applies in one call: either updates or deletes. */
export interface Step {
  id: string;
  phase: 'apply' | 'remove';
  target: string;
  targetUid: string;
  role: string;
  binding: BindingSpec;
  bindingHash: string;
  scope: string;
  /** True for the first step of this role on this target. */
  isFirst: boolean;
  actions: Action[];
  /** Ids of steps that must have ended before. */
  after: string[];
}

export interface Plan {
  steps: Step[];
  /** Components that need nothing, or may not be touched now; `reason` says why. */
  kept: Action[];
  /** Set when the plan may not be carried out as a whole: nothing in `steps` removes what the guard protects. */
  guard?: Reason;
}

/** What one target reports for one (role, binding), or why it could not be read. */
export type Observation =
  | { targetUid: string; role: string; bindingHash: string; readable: true; components: ComponentSpec[] }
  | { targetUid: string; role: string; bindingHash: string; readable: false; reason: Reason };

/** A desired component with its expressions resolved, for one target. */
export interface ResolvedComponent {
  target: string;
  component: ComponentSpec;
  /** Keyed digest over what the provider will be given. */
  digest: string;
  /** Paths whose values come from secrets. */
  sensitive: string[];
}
