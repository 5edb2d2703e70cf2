import type { LaneKey } from './lanes.js';

/** A lane that something was ordered for. */
export interface OrderedLane extends LaneKey {
  /** Decimal number of the order, by which a run knows whether it covers it. Left out: the store has to be asked. */
  seq?: string;
}

/** What changed, as far as whoever tells it knows. */
export interface WakeHint {
  /** Lanes that were ordered in this process; empty when another process did it, it is not known, or nothing was ordered. */
  lanes: readonly OrderedLane[];
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
