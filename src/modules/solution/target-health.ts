import type { Reason } from '@symphony/model';

/**
 * The breaker of each target, shared by all lanes and replicas. A target that did not answer in time, or could repeatedly
 * not be read, is left alone; when its time has come, exactly one run gets the probe.
 */
export abstract class TargetHealth {
  /** Opens or extends the breaker. @returns milliseconds until the next probe, or undefined while it stays closed. */
  abstract failed(targetUid: string, reason: Reason): Promise<number | undefined>;
  /**
   * A call was cut short for others' sake after it had gone without an answer for so long. When that adds up to two seconds
   * with no answer in between, the breaker opens, but never for long: the target may only be slow.
   * @returns milliseconds until the next probe, or undefined while it stays closed
   */
  suspected(_targetUid: string, _reason: Reason, _silentMs: number): Promise<number | undefined> {
    return Promise.resolve(undefined);
  }

  /** Closes the breaker; where it was open, whoever waits for the target is ordered, durably. */
  abstract recovered(targetUid: string): Promise<void>;
  /** Takes the probe of a target whose time has come; false when another run has it. */
  abstract takeProbe(targetUid: string): Promise<boolean>;
}
