/** A call that wants one of the slots of a target. */
export interface SlotRequest {
  targetUid: string;
  /** How many slots the target has. */
  limit: number;
  /** Each ends the wait. */
  signals: readonly AbortSignal[];
  /** How long to wait for a slot at most, in milliseconds. */
  waitMs: number;
  /** Nobody waits while all slots are held by calls that go on for longer than this. */
  slowMs: number;
}

/**
 * The slots of targets, counted over all replicas. This process alone is counted by `TargetSlots`; a mode whose engine runs
 * in one process at a time needs no such port.
 */
export abstract class SharedSlots {
  /**
   * Waits for a slot without holding anything meanwhile, no database connection either.
   * @returns what frees it, or undefined when the wait was ended or would be in vain
   * @throws UnavailableError
   */
  abstract take(request: SlotRequest): Promise<(() => void) | undefined>;
}
