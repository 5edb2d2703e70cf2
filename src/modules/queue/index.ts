export * from './errors.js';
export * from './job-store.js';
export * from './job-waker.js';
export * from './lanes.js';
export * from './run-handler.js';
