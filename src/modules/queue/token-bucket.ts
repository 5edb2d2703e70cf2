/** Bounds a rate: `perSecond` on average, at most a second's worth at once. */
export class TokenBucket {
  #tokens: number;
  #at: number;

  /** @param now a monotonic clock in milliseconds */
  constructor(
    private readonly perSecond: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#tokens = perSecond;
    this.#at = now();
  }

  /** Milliseconds until a token is there; 0: now. */
  waitMs(): number {
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.perSecond) * 1000);
  }

  /** Takes tokens that may not be there yet: what was taken too much is waited for afterwards. */
  take(count: number): void {
    this.#refill();
    this.#tokens -= count;
  }

  #refill(): void {
    const now = this.now();
    this.#tokens = Math.min(
      Math.max(1, this.perSecond),
      this.#tokens + ((now - this.#at) / 1000) * this.perSecond,
    );
    this.#at = now;
  }
}
