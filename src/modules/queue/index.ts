export * from './errors.js';
export * from './job-manager-options.js';
export { JobManager } from './job-manager.js';
export * from './job-store.js';
export * from './job-waker.js';
export * from './lane-position.js';
export * from './lane-rules.js';
export * from './lanes.js';
export * from './posted-jobs.js';
export {
  addressesOf as queueAddressesOf,
  subjectOf as queueSubjectOf,
  typeOf as queueTypeOf,
} from './queue-subject.js';
export * from './run-handler.js';
export * from './selected-targets.js';
export * from './summary-store.js';
