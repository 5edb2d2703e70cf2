import { Flag, Many, One, Rule, Text, TextMap } from '../fields.js';
import { fixedOnceSet, neverSwitchedOn } from './object-lifetime.js';
import { ReconciliationPolicy } from './policy.js';
import { TopologySpec } from './target.js';

/** Which targets: by name (`*`: any run of characters, `%`: exactly one), by properties, or the union of both. */
export class TargetSelector {
  @Text({ max: 253 }) name?: string;
  @TextMap({ description: 'Every key must be a property of the target, with a matching value.' })
  selector?: Record<string, string>;
}

export class PipelineSpec {
  @Text() name?: string;
  @Text() skill?: string;
  @TextMap() parameters?: Record<string, string>;
}

/** This solution on those targets. */
@Rule(fixedOnceSet('scope', 'The instance is already created. Cannot change Scope of the instance.'))
@Rule(neverSwitchedOn('The instance is already deployed. Cannot change isDryRun from false to true.'))
@Rule({
  cel: "has(self.target) && ((has(self.target.name) && self.target.name != '') || (has(self.target.selector) && size(self.target.selector) > 0))",
  message: 'target must have either name or valid selector: which targets is this for?',
  fieldPath: '.target',
})
export class InstanceSpec {
  @Text({ max: 253 }) displayName?: string;
  @Text({ max: 253, description: 'Fixed once set.' }) scope?: string;
  @TextMap({ description: 'Read by `$param(key)`.' }) parameters?: Record<string, string>;
  @TextMap() metadata?: Record<string, string>;
  @Text({ required: true, min: 1, max: 253, description: 'Name of a solution: `app-v-1` or `app:1`.' })
  solution!: string;
  @One(() => TargetSelector, { description: 'Which targets: by name, by properties, or the union of both.' })
  target?: TargetSelector;
  @Many(() => TopologySpec, { description: 'Kept; nothing is decided by it.' }) topologies?: TopologySpec[];
  @Many(() => PipelineSpec, { description: 'Kept; nothing is decided by it.' }) pipelines?: PipelineSpec[];
  @Flag({ description: 'Plan and validate only; cannot be switched on later.' }) isDryRun?: boolean;
  @Text({ oneOf: ['active', 'inactive'], description: '`inactive`: remove everything, keep the object.' })
  activeState?: string;
  @One(() => ReconciliationPolicy, { description: 'When to reconcile again.' })
  reconciliationPolicy?: ReconciliationPolicy;
  @Text({ max: 253, description: 'Accepted, since older manifests have it; it means nothing here.' })
  rootResource?: string;
}
