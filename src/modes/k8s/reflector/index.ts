export type { FeedLog } from './feed.js';
export type { Change } from './object-cache.js';
export * from './reflector.js';
export type { ReflectorTiming } from './timing.js';
