import type { Fence, LaneKey } from '../../../modules/queue/index.js';
import { keyText, type Lane } from './lane.js';

/**
 * Lanes that were forgotten while they were run. Their runs are fenced and write nothing more, but a call that they made may go on
 * for as long as its deadline allows: nothing else of that name runs before they have ended. At most one of each key, since what is
 * ordered under it meanwhile waits.
 */
export class UnendedRuns {
  readonly #lanes = new Map<string, Lane>();

  add(lane: Lane): void {
    this.#lanes.set(keyText(lane), lane);
  }

  /** Whether a lane of that key has to wait. */
  holdsBack(key: LaneKey): boolean {
    return this.#lanes.size > 0 && this.#lanes.has(keyText(key));
  }

  has(lane: Lane): boolean {
    return this.#lanes.get(keyText(lane)) === lane;
  }

  find({ laneId, epoch }: Fence): Lane | undefined {
    for (const lane of this.#lanes.values()) if (lane.id === laneId && lane.epoch === epoch) return lane;
    return undefined;
  }

  delete(lane: Lane): void {
    this.#lanes.delete(keyText(lane));
  }

  clear(): void {
    this.#lanes.clear();
  }
}
