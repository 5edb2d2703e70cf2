export * from './ledger.js';
export { begunEntry, settledEntry } from './ledger-rules.js';
export * from './progress.js';
export * from './reconcile.module.js';
export * from './reconciler.js';
export { statusOf } from './status.js';
export * from './step-executor.js';
export { summaryKeyOf } from './subject.js';
