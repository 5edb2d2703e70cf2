export * from './elector.js';
export { LeadershipLostError, OtherEngineError } from './errors.js';
export { processIdentity } from './identity.js';
export { Leadership, type LeadershipListener } from './leadership.js';
export type { Leader } from './lease-observer.js';
export { DEFAULT_LEASE_TIMING, type LeaseTiming } from './lease-timing.js';
export { refuseBesideSymphony } from './other-engine.js';
export type { Term } from './term.js';
