/** Bounds how much is sent: `burst` at once, then `perSecond` on average. */
export class Budget {
  #left: number;
  #at: number;

  /** @param now a monotonic clock in milliseconds */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly now: () => number,
  ) {
    this.#left = burst;
    this.#at = now();
  }

  /** Whether one may be sent, with so many left to others. Takes nothing. */
  has(reserve = 0): boolean {
    const now = this.now();
    this.#left = Math.min(this.burst, this.#left + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
    return this.#left >= 1 + reserve;
  }

  take(): void {
    this.#left -= 1;
  }
}
