import { Flag, Many, One, Rule, Text, TextMap } from '../fields.js';
import { ComponentSpec } from './component.js';
import { fixedOnceSet, neverSwitchedOn } from './object-lifetime.js';
import { ReconciliationPolicy } from './policy.js';

/** Which provider serves a role on a target. */
export class BindingSpec {
  @Text({ required: true, max: 253 }) role!: string;
  @Text({ required: true, max: 253, description: 'For example `providers.target.script`.' })
  provider!: string;
  @TextMap({ description: 'Settings of the provider; values may contain ${{ }} expressions.' })
  config?: Record<string, string>;
}

export class TopologySpec {
  @Text() device?: string;
  @TextMap() selector?: Record<string, string>;
  @Many(() => BindingSpec) bindings?: BindingSpec[];
}

/** A place that can run things. */
@Rule(fixedOnceSet('scope', 'The target is already created. Cannot change Scope of the target.'))
@Rule(neverSwitchedOn('The target is already deployed. Cannot change isDryRun from false to true.'))
export class TargetSpec {
  @Text({ max: 253 }) displayName?: string;
  @Text({ max: 253, description: "Scope of the target's own components; fixed once set." }) scope?: string;
  @Text({ max: 253, description: 'Scope of instances on this target that name none.' })
  solutionScope?: string;
  @TextMap() metadata?: Record<string, string>;
  @TextMap({ description: 'Matched by instance selectors and read by `$property(key)`.' })
  properties?: Record<string, string>;
  @Many(() => ComponentSpec, { uniqueBy: 'name', description: "The target's own components." })
  components?: ComponentSpec[];
  @Text() constraints?: string;
  @Many(() => TopologySpec, { description: 'Which provider serves which role.' }) topologies?: TopologySpec[];
  @Flag({ description: 'Apply every component at the next run, changed or not.' }) forceRedeploy?: boolean;
  @Flag({ description: 'Plan and validate only; cannot be switched on later.' }) isDryRun?: boolean;
  @One(() => ReconciliationPolicy, { description: 'When to reconcile again.' })
  reconciliationPolicy?: ReconciliationPolicy;
  @Text({ max: 253, description: 'Accepted, since older manifests have it; it means nothing here.' })
  rootResource?: string;
}

/** The binding for a role: the first one in the order of the topologies. */
export function bindingOf(target: TargetSpec, role: string): BindingSpec | undefined {
  for (const topology of target.topologies ?? []) {
    const binding = (topology.bindings ?? []).find((candidate) => candidate.role === role);
    if (binding) return binding;
  }
  return undefined;
}
