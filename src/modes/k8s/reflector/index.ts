export type { FeedLog } from './feed.js';
export type { Change } from './object-cache.js';
export * from './reflector.js';
export { relistingEvery, type ReflectorTiming } from './timing.js';
