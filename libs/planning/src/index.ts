export { diffFields, MASK, maskDiffs } from './diff.js';
export { DeploymentError } from './errors.js';
export { matchesPattern } from './pattern.js';
export { sortByDependencies } from './order.js';
export { matchTargets, type TargetCandidate, type TargetMatch } from './targets.js';
export { bindingHashOf } from './generate/binding.js';
export { constraintCheck, type ConstraintCheck } from './generate/constraint.js';
export { generateInline, type InlineInput } from './generate/inline.js';
export {
  generateForInstance,
  generateForTarget,
  type InstanceInput,
  type TargetInput,
} from './generate/stored.js';
export { toWireDeployment, wireForRemoval, type RemovalOptions, type WireOptions } from './wire.js';
export { blockedBy, runnableActions, type ActionOutcome, type Outcomes, type Runnable } from './outcomes.js';
export type { Awaited, Differs, PlanInput, Unresolved } from './plan/input.js';
export { PairMap } from './plan/pair-map.js';
export { plan } from './plan/plan.js';
