import { causesFrom, CAUSES } from '../../../modules/queue/index.js';
import { Heap } from './heap.js';
import type { Lane } from './lane.js';

const PERIODIC = CAUSES.indexOf('periodic');

/** Lanes that wait side by side, the one that is due first in front. */
export class Shelf {
  readonly #lanes = new Heap<Lane>(
    (a, b) => dueAt(a) < dueAt(b) || (dueAt(a) === dueAt(b) && a.turn < b.turn),
  );

  /** @param emptied called when its last lane goes */
  constructor(private readonly emptied: () => void = () => undefined) {}

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /** Of the lane in front; undefined: there is none. */
  get firstDueAt(): number | undefined {
    return this.#lanes.peek()?.dueAt;
  }

  add(lane: Lane): void {
    lane.shelf = this;
    this.#lanes.push(lane);
  }

  remove(lane: Lane): void {
    lane.shelf = undefined;
    this.#lanes.remove(lane);
    if (this.isEmpty) this.emptied();
  }

  takeFirst(): Lane | undefined {
    const first = this.#lanes.peek();
    if (first) this.remove(first);
    return first;
  }
}

/**
 * The lanes that wait for their time, and those whose time has come. A lane whose time has come goes from the one to the other
 * once, so that neither a claim nor the question for the next due time looks at more lanes than it takes.
 */
export class Schedule {
  readonly #later = CAUSES.map(() => new Shelf());
  /** By cause, one shelf per namespace, in the order in which they get their turn. Periodic lanes are on one shelf. */
  readonly #due = CAUSES.map(() => new Map<string, Shelf>());

  /** @param lane has a due time, and nobody runs it */
  add(lane: Lane): void {
    this.#later[lane.cause]?.add(lane);
  }

  /** Does nothing with a lane that does not wait. Comes before any change of its due time, cause or namespace. */
  remove(lane: Lane): void {
    lane.shelf?.remove(lane);
  }

  clear(): void {
    this.#later.splice(0, CAUSES.length, ...CAUSES.map(() => new Shelf()));
    for (const ring of this.#due) ring.clear();
  }

  /**
   * Takes due lanes: one cause after the other, inside a cause the namespaces in turn, inside a namespace the oldest. What a
   * namespace leaves goes to the others of the same cause before a less urgent one. Periodic lanes go by age alone.
   * @param start cause with which it begins
   */
  take(now: number, limit: number, start: number, periodic: boolean): Lane[] {
    this.#come(now);
    const taken: Lane[] = [];
    for (const cause of causesFrom(start)) {
      if (cause === PERIODIC && !periodic) continue;
      while (taken.length < limit) {
        const lane = this.#next(cause);
        if (!lane) break;
        taken.push(lane);
      }
    }
    return taken;
  }

  /** Milliseconds until the next lane is due: 0 to `capMs`. */
  nextDueMs(now: number, capMs: number, periodic: boolean): number {
    this.#come(now);
    const causes = CAUSES.map((_, cause) => cause).filter((cause) => periodic || cause !== PERIODIC);
    if (causes.some((cause) => (this.#due[cause]?.size ?? 0) > 0)) return 0;
    const waits = causes.map((cause) => (this.#later[cause]?.firstDueAt ?? Infinity) - now);
    return Math.max(0, Math.min(capMs, ...waits));
  }

  /** Moves what has become due. */
  #come(now: number): void {
    for (const later of this.#later) {
      while ((later.firstDueAt ?? Infinity) <= now) {
        const lane = later.takeFirst();
        if (lane) this.#shelfOf(lane).add(lane);
      }
    }
  }

  #shelfOf({ cause, namespace }: Lane): Shelf {
    const ring = this.#due[cause] ?? new Map<string, Shelf>();
    const place = cause === PERIODIC ? '' : namespace;
    let shelf = ring.get(place);
    if (!shelf) {
      shelf = new Shelf(() => ring.delete(place));
      ring.set(place, shelf);
    }
    return shelf;
  }

  /** A map answers in the order of insertion: whose turn is over goes to the end. */
  #next(cause: number): Lane | undefined {
    const ring = this.#due[cause];
    const [first] = ring ?? [];
    if (!ring || !first) return undefined;
    const [namespace, shelf] = first;
    const lane = shelf.takeFirst();
    if (ring.delete(namespace)) ring.set(namespace, shelf);
    return lane;
  }
}

function dueAt(lane: Lane): number {
  return lane.dueAt ?? Infinity;
}
