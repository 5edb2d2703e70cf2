export * from './elector.js';
export { processIdentity } from './identity.js';
export { Leadership } from './leadership.js';
export { RefusedWrites, type RefusedRecord } from './refused-writes.js';
export type { Leader } from './lease-observer.js';
export { DEFAULT_LEASE_TIMING, type LeaseTiming } from './lease-timing.js';
export { refuseBesideSymphony } from './other-engine.js';
export { MOST_TERM, type Term } from './term.js';
