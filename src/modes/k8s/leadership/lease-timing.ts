/** In milliseconds. */
export interface LeaseTiming {
  /** Others may take over when they have not seen a renewal for so long. */
  leaseMs: number;
  /** The leader steps down when it began its last successful renewal so long ago. */
  renewDeadlineMs: number;
  /** Between two renewals, and between two looks of a candidate that cannot watch. */
  retryMs: number;
}

/** Those of Kubernetes' own controllers. */
const DEFAULT_LEASE_TIMING: LeaseTiming = {
  leaseMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
};

/**
 * @throws RangeError when the numbers do not keep two leaders apart: the time between the deadline and the end of the lease
 * is what a leader has to stop, and what two clocks may differ in speed
 */
export function checkedTiming(timing: Partial<LeaseTiming> = {}): LeaseTiming {
  const all = { ...DEFAULT_LEASE_TIMING, ...timing };
  if (!(all.leaseMs > all.renewDeadlineMs && all.renewDeadlineMs > 2 * all.retryMs && all.retryMs > 0)) {
    throw new RangeError('the lease must be longer than the renew deadline, and that than two retries');
  }
  return all;
}
