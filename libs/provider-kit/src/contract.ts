import type {
  BindingSpec,
  ComponentResultSpec,
  ComponentSpec,
  DeploymentOwner,
  TargetSpec,
  WireDeployment,
} from '@symphony/model';
import type { ValidationRule } from './validation-rule.js';

/** What every call to a provider carries. */
export interface ProviderCall {
  /** Symphony's DeploymentSpec with `activeTarget` set and the expressions of this step's components resolved. */
  deployment: WireDeployment;
  owner: DeploymentOwner;
  target: { name: string; uid: string; spec: TargetSpec };
  role: string;
  /** Symphony's scope (a Kubernetes namespace, for example). */
  scope: string;
  /**
   * Aborted when the deadline passes, the lease is lost, a newer order cancels the wait, or the engine stops. A provider
   * ends what it started (child processes included) and rejects; what happens after an abort counts as unknown.
   */
  signal: AbortSignal;
  /** Milliseconds that are left when the call starts; the signal fires then. */
  timeoutMs: number;
  /**
   * The caller is a run, which has its owner for itself: whatever another engine still does for the same owner is the rest
   * of a run that lost its lane. Left out for looks beside the runs (plan, explain).
   */
  exclusive?: boolean;
  /**
   * Replaces the values that were resolved from secrets for this call. Whatever a provider quotes from its target (error
   * texts, output of programs, bodies of answers) goes through it before it leaves the provider.
   */
  redact?: (text: string) => string;
}

/** Asks what exists now. */
export interface GetCall extends ProviderCall {
  /** The components of interest, desired or formerly applied. */
  references: readonly ComponentStep[];
}

export interface ComponentStep {
  action: 'update' | 'delete';
  component: ComponentSpec;
}

export interface ApplyCall extends ProviderCall {
  /** In order; a component may depend on earlier ones. All `update` or all `delete`. */
  steps: readonly ComponentStep[];
  /** Validate only: touch nothing. */
  dryRun: boolean;
  /** True for the first step of this role on this target in the run: the time to create shared scaffolding. */
  isFirst: boolean;
  /**
   * Takes the result of one component as soon as it is known. What was told counts even if the call is cut short later, and
   * the deadline begins anew: a call may go on for as long as it gets somewhere.
   */
  onResult?: (component: string, result: ApplyResult) => void;
}

/** The provider handed the component on to somebody who reports the outcome later: an agent that may be offline for days. */
export interface PendingResult {
  /**
   * What the report has to name (docs/api.md, "Reports about components"). Without one, a report on what was asked for before cannot be told
   * from one on what was asked for last.
   */
  ticket?: string;
  /** How long to wait for the report, in milliseconds. Default: the definition's `reportWithinMs`. */
  deadlineMs?: number;
}

export interface ApplyResult extends ComponentResultSpec {
  /** Neither done nor failed: `status` does not count. */
  pending?: PendingResult;
}

/** Result per component name. A component without an entry counts as `Untouched` (9998), which is a success. */
export type ApplyResults = Record<string, ApplyResult>;

/** How well something that exists does its work. */
export interface ComponentHealth {
  /** `starting`: too early to tell. `unhealthy`: it is as declared, and yet does not work (a program that keeps dying). */
  status: 'healthy' | 'starting' | 'unhealthy';
  /** Sentences for a person, redacted: what is wrong, with the last words of the thing itself; empty when all is well. */
  message: string;
}

/** A component as a target reports it. */
export interface ObservedComponent extends ComponentSpec {
  /**
   * Absent when the provider cannot tell. It is no part of the comparison with the declaration: what is unhealthy is
   * reported, not applied again, since that would only restart what the target restarts by itself.
   */
  health?: ComponentHealth;
}

/** Asks to be told about changes of a target, for all owners that have something there. */
export interface WatchCall {
  target: { name: string; uid: string; spec: TargetSpec };
  role: string;
  /** Aborted: ends the watch, as its stop function does. */
  signal: AbortSignal;
}

/** Something happened on the target, or may have. */
export interface TargetChange {
  /** Whose component it concerns; absent: anybody's may have changed, for example while nobody could listen. */
  ownerUid?: string;
  /** Absent: any of the owner's. */
  component?: string;
  /** A few words for a log, for example `destroy`; never a value. */
  what: string;
}

/**
 * A target provider: how components of one role get onto one target.
 *
 * - `get` reports only what exists now, in the shape of the declaration, and changes nothing. It rejects when it cannot
 *   tell: "could not read" is never reported as an empty list.
 * - `apply` is idempotent: applying twice, or deleting what is gone, succeeds. It answers per component; it rejects (with
 *   a `ProviderError`) when nothing can be said about single components.
 * - Neither keeps state that a restart would lose and correctness needs.
 */
export interface TargetProvider {
  readonly rule: ValidationRule;
  /**
   * True: within one `apply`, a component is applied after those of the call that it depends on, and not at all when one of
   * them failed; it is removed after those that depend on it, and not when one of them is still there. The result of each is
   * told by `onResult`. Otherwise the engine makes a call for each level of dependencies (`applyInOrder` does it all).
   */
  readonly keepsOrder?: boolean;
  get(call: GetCall): Promise<ObservedComponent[]>;
  apply(call: ApplyCall): Promise<ApplyResults>;
  /**
   * Reports changes of what this engine applied to the target, as hints: a run decides what is to be done. Resolves once
   * changes from now on are noticed, or once the first attempt to listen failed; it goes on trying by itself, with backoff,
   * and reports a change of unknown extent each time that it begins to listen after it could not. What the provider itself
   * does to the target is left out where it can tell. One watch serves all owners of a target; `onChange` must not throw.
   *
   * @returns what ends the watch; afterwards `onChange` is not called any more
   */
  watch?(call: WatchCall, onChange: (change: TargetChange) => void): Promise<() => Promise<void>>;
  /** Frees connections; called when the binding's provider is not needed any more. */
  close?(): Promise<void>;
}

/** A kind of provider, known by its type string. */
export interface ProviderDefinition {
  /** For example `providers.target.script`. */
  readonly type: string;
  /** How many calls one target bears at the same time. */
  readonly concurrency: number;
  /** The same where the (resolved) configuration of a binding says how much its target bears; undefined: `concurrency`. */
  concurrencyOf?(config: Readonly<Record<string, string>>): number | undefined;
  /** Its providers can watch their targets. */
  readonly watches?: boolean;
  /** How long reports on what is pending are waited for, in milliseconds. Default: the engine's configuration. */
  readonly reportWithinMs?: number;
  /** Set when the configuration switches it off: a sentence that names the key that switches it on. */
  readonly disabled?: string;
  /**
   * Makes a provider for one binding; cheap, opens nothing.
   * @throws ProviderConfigError when the configuration (resolved) cannot work.
   */
  create(config: Readonly<Record<string, string>>, binding: BindingSpec): TargetProvider;
}
