export type { EvaluationContext } from './context.js';
export { ExpressionError, type ExpressionErrorCode, isMissingValue } from './errors.js';
export { type Evaluated, evaluateTemplate } from './evaluator.js';
export { defaultLimits, type Limits } from './limits.js';
export {
  gatherLookups,
  type LookupAnswer,
  LookupNeeded,
  type LookupNeed,
  LookupTable,
  resolveLookups,
} from './lookups.js';
export { hasExpression, parseTemplate, referencesSecret, type Template } from './template.js';
export { type EvaluatedValue, evaluateValue, formatPath, secretReferences } from './value.js';
export type { JsonValue } from './values.js';
