import type { Reason } from '@symphony/model';

/**
 * The breaker of each target, shared by all lanes and replicas. A target that did not answer in time, or could repeatedly
 * not be read, is left alone; when its time has come, exactly one run gets the probe.
 */
export abstract class TargetHealth {
  /** Opens or extends the breaker. @returns milliseconds until the next probe, or undefined while it stays closed. */
  abstract failed(targetUid: string, reason: Reason): Promise<number | undefined>;
  /** Closes the breaker. */
  abstract recovered(targetUid: string): Promise<void>;
  /** Takes the probe of a target whose time has come; false when another run has it. */
  abstract takeProbe(targetUid: string): Promise<boolean>;
}
