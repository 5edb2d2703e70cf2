import type { FanOut, LaneOrder } from '../../../modules/queue/index.js';

/** A fan-out with all that was written to its object since dependents were last ordered. */
export interface PendingFanOut extends Pick<FanOut, 'kind' | 'namespace' | 'name' | 'uid'> {
  /** Each set of properties that a target had and has; see `selectsTarget`. */
  properties: readonly Record<string, string>[];
}

export interface DependentsPage {
  /** Instances of the fan-out's namespace, each once over all pages. */
  items: readonly { name: string; generation: number }[];
  /** Where the next page goes on; undefined: this was the last one. */
  next?: string;
}

/** @param after `next` of the page before @param limit most that a page may look at */
export type DependentsOf = (
  fanOut: PendingFanOut,
  after: string | undefined,
  limit: number,
) => Promise<DependentsPage>;

interface Entry {
  fanOut: PendingFanOut;
  /** Texts of the sets, to have each once. */
  sets: Set<string>;
  after: string | undefined;
}

/**
 * Fan-outs in the order in which they came. What is written to an object that already waits goes along with it; once the first
 * page of one was asked for, a new write waits by itself, since earlier pages know nothing of it.
 */
export class FanOutQueue {
  readonly #waiting = new Map<string, Entry>();
  #current: Entry | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly dependentsOf: DependentsOf) {}

  /** Under way and waiting. */
  get size(): number {
    return this.#waiting.size + (this.#current ? 1 : 0);
  }

  add(fanOuts: readonly FanOut[]): void {
    for (const { kind, namespace, name, uid, propertiesBefore, propertiesAfter } of fanOuts) {
      const key = JSON.stringify([kind, namespace, name, uid]);
      const entry = this.#waiting.get(key) ?? {
        fanOut: { kind, namespace, name, uid, properties: [] },
        sets: new Set<string>(),
        after: undefined,
      };
      this.#waiting.set(key, entry);
      const known = entry.sets.size;
      for (const set of [propertiesBefore, propertiesAfter]) if (set) entry.sets.add(JSON.stringify(set));
      if (entry.sets.size > known) entry.fanOut.properties = setsOf(entry);
    }
  }

  clear(): void {
    this.#waiting.clear();
    this.#current = undefined;
  }

  /**
   * Orders one page of dependents of the oldest fan-out. One page at a time, whoever asks; when it cannot be had, the next call
   * asks for the same one.
   * @returns false when nothing waits
   */
  expand(limit: number, order: (orders: readonly LaneOrder[]) => void): Promise<boolean> {
    const mine = this.#turn.then(() => this.#page(limit, order));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #page(limit: number, order: (orders: readonly LaneOrder[]) => void): Promise<boolean> {
    const entry = this.#current ?? this.#begin();
    if (!entry) return false;
    const { fanOut, after } = entry;
    const { items, next } = await this.dependentsOf(fanOut, after, limit);
    // Cleared meanwhile: whoever leads now finds out by itself who is to be looked at.
    if (this.#current !== entry) return false;
    const { namespace } = fanOut;
    order(
      items.map(({ name, generation }) => {
        return { kind: 'Instance', namespace, name, generation, action: 'update', cause: 'dependent' };
      }),
    );
    entry.after = next;
    if (next === undefined) this.#current = undefined;
    return true;
  }

  #begin(): Entry | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    this.#waiting.delete(first[0]);
    this.#current = first[1];
    return first[1];
  }
}

function setsOf({ sets }: Entry): Record<string, string>[] {
  return [...sets].map((text) => JSON.parse(text) as Record<string, string>);
}
