import { setMaxListeners } from 'node:events';
import { LeadershipLostError } from './errors.js';

/**
 * The highest term that a record is believed to be of. What is higher was made up by hand: it takes a change of leaders each 15
 * seconds for a year to get there, and as many again are left from there on.
 */
export const MOST_TERM = 2 ** 21;

/** One time of leading, from acquiring the Lease until it is released or lost. There is never a second with its epoch. */
export interface Term {
  /** Greater than that of every earlier term of any process. */
  readonly epoch: number;
  /** Aborted, with a {@link LeadershipLostError}, as soon as this process must not act as the leader any more. */
  readonly signal: AbortSignal;
  /** Looks at the clock as well: true only while no other process can have taken over. */
  isLive(): boolean;
}

/**
 * A term that ends by itself unless it is extended in time. Time is this process's monotonic clock, and counts from before
 * the request that acquired or renewed the Lease was sent: the others count from when they saw it, which is later.
 *
 * Timers are late when the event loop stood still, so every question looks at the clock, and an answer that arrived in time
 * but was read too late extends nothing.
 */
export class LeaseTerm implements Term {
  readonly #over = new AbortController();
  #until: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param since when the request was sent that acquired the Lease, by `performance.now()` */
  constructor(
    readonly epoch: number,
    since: number,
    private readonly renewDeadlineMs: number,
  ) {
    this.#until = since + renewDeadlineMs;
    // All that is done for a term ends with it: however much that is, it is no leak.
    setMaxListeners(0, this.#over.signal);
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  isLive(): boolean {
    if (!this.#over.signal.aborted && performance.now() >= this.#until) {
      this.end(`its Lease could not be renewed within ${this.renewDeadlineMs / 1000} s`);
    }
    return !this.#over.signal.aborted;
  }

  /** The Lease was renewed by a request that was sent at `since`. False when that came too late. */
  extend(since: number): boolean {
    if (!this.isLive()) return false;
    this.#until = Math.max(this.#until, since + this.renewDeadlineMs);
    this.#arm();
    return this.isLive();
  }

  end(why: string): void {
    clearTimeout(this.#timer);
    if (!this.#over.signal.aborted) this.#over.abort(new LeadershipLostError(why));
  }

  #arm(): void {
    clearTimeout(this.#timer);
    // A timer may fire up to a millisecond early by this clock; it looks again then.
    const look = (): void => {
      if (this.isLive()) this.#arm();
    };
    this.#timer = setTimeout(look, Math.max(1, Math.ceil(this.#until - performance.now())));
  }
}
