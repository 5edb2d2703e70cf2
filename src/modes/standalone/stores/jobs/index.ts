export type { Completed, OutcomeWriter } from './completion.js';
export { assertFence } from './fence.js';
export { GatherOrAlone } from './gather.js';
export { forgetPayload } from './inline-payloads.js';
export { insertFanOuts, orderLanes } from './orders.js';
export { orderWaiting, waitingOrder } from './waiting.js';
export { PostgresJobStore, type PostgresJobStoreOptions } from './postgres-job-store.js';
export { PostgresWakeups } from './wakeups.js';
