export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. */
  firstMs: number;
  /** Upper bound of all delays. */
  mostMs: number;
}

/**
 * The delay before attempt `failures + 1`: somewhere between half of a bound and the bound, which doubles with each failure.
 * The random half keeps many clients of one server that came back from asking at the same moment; the fixed half keeps one
 * client from asking twice at once.
 */
export function backoffMs(failures: number, { firstMs, mostMs }: BackoffOptions): number {
  // 2 ** 30 is far beyond any bound, and finite.
  const bound = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return bound / 2 + (Math.random() * bound) / 2;
}
