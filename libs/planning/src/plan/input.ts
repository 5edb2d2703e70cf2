import type {
  Assignment,
  ComponentSpec,
  Deployment,
  FieldDiff,
  LedgerEntry,
  Observation,
  Reason,
  ResolvedComponent,
} from '@symphony/model';

/** Why a component cannot be applied on a target although a provider is there: an expression that fails, for example. */
export interface Unresolved {
  target: string;
  component: string;
  reason: Reason;
}

/** Something that a provider has accepted, or was just reported on, and that is left alone in this run. */
export interface Awaited {
  phase: 'apply' | 'remove';
  /** Of an apply: the digest of what the provider was given. Anything else that is desired is applied at once. */
  digest?: string;
  reason: Reason;
}

/**
 * The differences that a provider cares about, between the desired component (resolved) and the reported one; `path`
 * relative to the component. Masked by the planner.
 */
export type Differs = (
  assignment: Assignment,
  desired: ComponentSpec,
  observed: ComponentSpec,
) => readonly FieldDiff[];

/**
 * What a plan is made of. Only for a deployment whose solution and targets were read: a caller that could not read them
 * must not plan at all.
 */
export interface PlanInput {
  deployment: Deployment;
  /** Every entry of this owner. */
  ledger: readonly LedgerEntry[];
  observations: readonly Observation[];
  resolved: readonly ResolvedComponent[];
  /** What has no entry in `resolved`, and why. */
  unresolved?: readonly Unresolved[];
  /** Uids of targets that are being deleted. */
  deletingTargets: ReadonlySet<string>;
  /** Uids of targets on which everything is applied again. */
  forceRedeploy: ReadonlySet<string>;
  differs: Differs;
  /** Targets (by uid) that are left alone entirely, deletes included: their breaker is open. */
  unavailable?: ReadonlyMap<string, Reason>;
  /** By `ledgerKeyText` of their entries. */
  awaited?: ReadonlyMap<string, Awaited>;
}
