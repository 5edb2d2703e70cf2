export type { DependentsOf, DependentsPage, PendingFanOut } from './fan-out-queue.js';
export { termOf, type KnownObject, type KnownPosted, type LaneClock } from './lane.js';
export { MemoryLanes, type MemoryLanesOptions, type OutcomeWriter } from './memory-lanes.js';
export { MemoryWaker } from './memory-waker.js';
