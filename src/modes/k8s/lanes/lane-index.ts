import type { LanePosition } from '../../../modules/queue/index.js';
import type { Lane } from './lane.js';

/** Lanes in the order of lists: kind, namespace, name. Sorted when first asked for, and kept so from then on. */
export class LaneIndex {
  #sorted: Lane[] | undefined;

  constructor(private readonly lanes: () => Iterable<Lane>) {}

  add(lane: Lane): void {
    this.#sorted?.splice(this.#after(positionIn(lane)), 0, lane);
  }

  remove(lane: Lane): void {
    if (this.#sorted) this.#sorted.splice(this.#after(positionIn(lane)) - 1, 1);
  }

  /** So many lanes change that it is cheaper to sort them anew. */
  forget(): void {
    this.#sorted = undefined;
  }

  /** At most so many lanes that come after the position and fit. */
  page(after: LanePosition, limit: number, fits: (lane: Lane) => boolean): Lane[] {
    this.#sorted ??= [...this.lanes()].toSorted((a, b) => compare(positionIn(a), positionIn(b)));
    const found: Lane[] = [];
    for (let at = this.#after(after); at < this.#sorted.length && found.length < limit; at++) {
      const lane = this.#sorted[at];
      if (lane && fits(lane)) found.push(lane);
    }
    return found;
  }

  /** Index of the first lane that comes after the position. */
  #after(position: LanePosition): number {
    const lanes = this.#sorted ?? [];
    let low = 0;
    let high = lanes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const lane = lanes[middle];
      if (lane && compare(positionIn(lane), position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function positionIn({ kind, namespace, name }: Lane): LanePosition {
  return [kind, namespace, name];
}

function compare(a: LanePosition, b: LanePosition): number {
  for (const part of [0, 1, 2] as const) {
    if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  }
  return 0;
}
