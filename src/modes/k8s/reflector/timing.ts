import type { BackoffOptions } from '../client/index.js';

/** All in milliseconds. */
export interface ReflectorTiming {
  /** The server ends a watch after this, or up to twice this: many watches of one server must not end together. */
  watchMs: number;
  /** Without a byte for so long a watch counts as dead and is opened again. Bookmarks come every minute. */
  idleMs: number;
  /** What ended sooner than this after its opening has failed, however politely: the next attempt waits. */
  healthyMs: number;
  /** Between attempts. */
  backoff: BackoffOptions;
  /**
   * After this the next watch begins with a list, which heals what no event told: a server or a proxy that lost one. Kubernetes'
   * own servers lose none, and runs read what they act on, so this is rare. Up to a tenth later. Zero for never.
   */
  relistMs: number;
  /** For one page of a list. */
  listMs: number;
  /** How long lists that are older than what was seen are refused, before they are taken for a restored backup. */
  staleMs: number;
}

export const DEFAULT_TIMING: ReflectorTiming = {
  watchMs: 300_000,
  idleMs: 150_000,
  healthyMs: 5_000,
  // Ten seconds at most: a server that comes back after half a minute is noticed soon, and one request per resource and ten
  // seconds is no storm.
  backoff: { firstMs: 200, mostMs: 10_000 },
  relistMs: 36_000_000,
  listMs: 60_000,
  staleMs: 60_000,
};

/** Lists are made between two watches only, so these must not last too long. */
export function relistingEvery(relistMs: number): Pick<ReflectorTiming, 'relistMs' | 'watchMs'> {
  return { relistMs, watchMs: Math.min(DEFAULT_TIMING.watchMs, relistMs / 2) };
}
