export * from './annotations.js';
export * from './deployment.js';
export { withDefaults } from './defaults.js';
export * from './digest.js';
export * from './duration.js';
export * from './errors.js';
export {
  fieldsOf,
  Flag,
  Free,
  isPlainObject,
  Many,
  One,
  Rule,
  rulesOf,
  Text,
  TextMap,
  Time,
  Whole,
  type FieldRule,
  type FieldShape,
  type ModelClass,
} from './fields.js';
export * from './ledger.js';
export * from './names.js';
export * from './objects/component.js';
export * from './objects/instance.js';
export * from './objects/metadata.js';
export * from './objects/object.js';
export * from './objects/policy.js';
export * from './objects/solution.js';
export * from './objects/status.js';
export * from './objects/target.js';
export { join as joinPath, parseAs } from './parse.js';
export * from './plan.js';
export * from './reasons.js';
export * from './removal.js';
export * from './schema.js';
export * from './state-codes.js';
export * from './summary.js';
export * from './text.js';
