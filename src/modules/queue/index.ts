export * from './errors.js';
export * from './job-manager-options.js';
export { JobManager } from './job-manager.js';
export * from './job-store.js';
export * from './job-waker.js';
export * from './lanes.js';
export * from './run-handler.js';
export * from './summary-store.js';
