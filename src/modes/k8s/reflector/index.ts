export type { FeedLog } from './feed.js';
export { deepFreeze } from './deep-freeze.js';
export type { Change, IndexFunction, ObjectKey } from './object-cache.js';
export * from './reflector.js';
export { DEFAULT_TIMING, type ReflectorTiming } from './timing.js';
