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
}

/** Result per component name. A component without an entry counts as `Untouched` (9998), which is a success. */
export type ApplyResults = Record<string, ComponentResultSpec>;

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
  get(call: GetCall): Promise<ComponentSpec[]>;
  apply(call: ApplyCall): Promise<ApplyResults>;
  /** Frees connections; called when the binding's provider is not needed any more. */
  close?(): Promise<void>;
}

/** A kind of provider, known by its type string. */
export interface ProviderDefinition {
  /** For example `providers.target.script`. */
  readonly type: string;
  /** How many calls one target bears at the same time. */
  readonly concurrency: number;
  /** Set when the configuration switches it off: a sentence that names the key that switches it on. */
  readonly disabled?: string;
  /**
   * Makes a provider for one binding; cheap, opens nothing.
   * @throws ProviderConfigError when the configuration (resolved) cannot work.
   */
  create(config: Readonly<Record<string, string>>, binding: BindingSpec): TargetProvider;
}
