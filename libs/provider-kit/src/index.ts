export * from './admission.js';
export * from './change-detection.js';
export * from './contract.js';
export * from './errors.js';
export * from './in-order.js';
export * from './redact.js';
export * from './text-form.js';
export * from './validation-rule.js';
