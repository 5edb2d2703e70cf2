import type { LaneKey } from './lanes.js';

/** What changed, as far as whoever tells it knows. */
export interface WakeHint {
  /** Lanes that were ordered in this process; empty when another process did it, or it is not known. */
  lanes: readonly LaneKey[];
  fanOuts: boolean;
}

/**
 * Tells workers, here at once and elsewhere soon, that there may be work. Called directly after the commit that made the
 * work. Only a hint: without it the work is found a poll later. Never throws, never waits.
 */
export abstract class JobWaker {
  abstract wake(hint: WakeHint): void;

  /**
   * Resolves when the run of a posted deployment has ended, whichever it was and wherever it ran, or when the time is
   * over. Best effort: ask the store afterwards.
   */
  abstract nextFinished(ms: number): Promise<void>;
}
