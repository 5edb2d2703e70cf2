import { performance } from 'node:perf_hooks';
import type { SharedSlots } from './shared-slots.js';

interface Slot {
  startedAt: number;
}

interface Waiter {
  give(slot: Slot): void;
}

interface Place {
  held: Set<Slot>;
  waiters: Waiter[];
}

export interface TargetSlotsOptions {
  /** How long a call waits for its turn, in milliseconds. */
  waitMs: number;
  /** Nobody queues behind a call that has been going on for longer than this. */
  slowMs: number;
}

const DEFAULTS: TargetSlotsOptions = { waitMs: 10_000, slowMs: 2_000 };

/**
 * How many calls a target bears at once, across all runs of this process and, with `SharedSlots`, of all replicas. A call
 * that hangs keeps its slot until it has really ended; others then turn away at once instead of queueing up behind it.
 */
export class TargetSlots {
  readonly #places = new Map<string, Place>();
  readonly #options: TargetSlotsOptions;

  constructor(
    options: Partial<TargetSlotsOptions> = {},
    private readonly shared?: SharedSlots,
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * @returns the release function, or undefined when the target is busy for too long or a signal fires.
   * @throws UnavailableError when the slots of other replicas cannot be known
   */
  async acquire(
    targetUid: string,
    limit: number,
    signals: readonly AbortSignal[],
  ): Promise<(() => void) | undefined> {
    const release = await this.#acquireHere(targetUid, limit, signals);
    if (!release || !this.shared) return release;
    try {
      const giveBack = await this.shared.take({ targetUid, limit, signals, ...this.#options });
      if (giveBack) {
        return () => {
          giveBack();
          release();
        };
      }
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  async #acquireHere(
    targetUid: string,
    limit: number,
    signals: readonly AbortSignal[],
  ): Promise<(() => void) | undefined> {
    const place = this.#places.get(targetUid) ?? { held: new Set<Slot>(), waiters: [] };
    this.#places.set(targetUid, place);
    if (place.held.size < limit) return this.#hold(targetUid, place, { startedAt: performance.now() });
    if (this.#isSlow(place) || signals.some((signal) => signal.aborted)) return undefined;
    const slot = await this.#wait(place, signals);
    return slot ? this.#hold(targetUid, place, slot) : undefined;
  }

  #isSlow(place: Place): boolean {
    const now = performance.now();
    return [...place.held].every((slot) => now - slot.startedAt > this.#options.slowMs);
  }

  async #wait(place: Place, signals: readonly AbortSignal[]): Promise<Slot | undefined> {
    return new Promise((resolve) => {
      const waiter: Waiter = { give: finish };
      const timer = setTimeout(() => finish(undefined), this.#options.waitMs);
      // Looks again once the holders would count as slow, so that nobody waits out a hang.
      const slowCheck = setTimeout(() => {
        if (this.#isSlow(place)) finish(undefined);
      }, this.#options.slowMs + 50);
      const aborted = (): void => finish(undefined);
      function finish(slot: Slot | undefined): void {
        clearTimeout(timer);
        clearTimeout(slowCheck);
        for (const signal of signals) signal.removeEventListener('abort', aborted);
        const at = place.waiters.indexOf(waiter);
        if (at >= 0) place.waiters.splice(at, 1);
        resolve(slot);
      }
      for (const signal of signals) signal.addEventListener('abort', aborted);
      place.waiters.push(waiter);
    });
  }

  #hold(targetUid: string, place: Place, slot: Slot): () => void {
    slot.startedAt = performance.now();
    place.held.add(slot);
    return () => {
      if (!place.held.delete(slot)) return;
      const next = place.waiters.shift();
      if (next) {
        // Held on behalf of the waiter from now on, so that no newcomer slips in between.
        const handed: Slot = { startedAt: performance.now() };
        place.held.add(handed);
        next.give(handed);
      } else if (place.held.size === 0) {
        this.#places.delete(targetUid);
      }
    };
  }
}
