export { DEFAULT_BACKOFF, type BackoffOptions, type OutcomeWriter } from './completion.js';
export { assertFence } from './fence.js';
export { insertFanOuts, orderLanes, removeLane } from './orders.js';
export { PostgresJobStore, type PostgresJobStoreOptions } from './postgres-job-store.js';
export { PostgresWakeups, type WakeupsOptions } from './wakeups.js';
