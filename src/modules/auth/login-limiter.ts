/** Failures that may come in one go: enough for a person who mistypes, few for a machine that guesses. */
const BURST = 10;
/** Then one more each time this has passed: ten a minute. */
const REFILL_MS = 6_000;
/** Buckets are kept for this many (user, address) pairs; the least recently used go first. */
const MAX_BUCKETS = 10_000;

interface Bucket {
  tokens: number;
  /** Milliseconds of the limiter's clock when `tokens` was right. */
  at: number;
}

/**
 * Limits failed logins per key with a token bucket. A login takes a token before its password is looked at (so that
 * many at once cannot all slip through) and gives it back when it succeeds.
 */
export class LoginLimiter {
  readonly #buckets = new Map<string, Bucket>();

  /** @param now a monotonic clock in milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Milliseconds until a login with this key is let through; 0 for at once. */
  waitFor(key: string): number {
    const bucket = this.#current(key);
    return bucket.tokens >= 1 ? 0 : Math.ceil((1 - bucket.tokens) * REFILL_MS);
  }

  take(key: string): void {
    const bucket = this.#current(key);
    this.#keep(key, { ...bucket, tokens: bucket.tokens - 1 });
  }

  giveBack(key: string): void {
    const bucket = this.#current(key);
    this.#keep(key, { ...bucket, tokens: Math.min(BURST, bucket.tokens + 1) });
  }

  #current(key: string): Bucket {
    const at = this.now();
    const bucket = this.#buckets.get(key);
    if (!bucket) return { tokens: BURST, at };
    return { tokens: Math.min(BURST, bucket.tokens + (at - bucket.at) / REFILL_MS), at };
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    if (bucket.tokens >= BURST) return;
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= MAX_BUCKETS) return;
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
