import type { Leader } from './lease-observer.js';
import type { Term } from './term.js';

/** Called with the term that has begun, or undefined when one has ended; synchronous, and after its signal was aborted. */
export type LeadershipListener = (term: Term | undefined) => void;

/** Whether this process leads, for all who act only when it does. */
export abstract class Leadership {
  /** The term in which this process leads at this moment: looks at the clock. Undefined when it does not. */
  abstract get term(): Term | undefined;

  /** Who leads, as last seen by this process: to pass requests on to. */
  abstract get leader(): Leader | undefined;

  /** Tells of changes, and at once of the term that is under way. Returns what ends it. */
  abstract onChange(listener: LeadershipListener): () => void;

  /**
   * Something durable carries a higher epoch than that of the Lease: the Lease was deleted, or restored from a backup. The
   * term ends, and no later one has an epoch up to this.
   */
  abstract outranked(epoch: number): void;

  /**
   * Ends the term under way, and begins another one without giving the Lease away: what is looked at only at the beginning of a
   * term is looked at anew. Runs under way are stopped, and begin again.
   */
  abstract beginAnew(why: string): void;

  /**
   * Reads the Lease itself, for whom a write was refused as that of a former leader: a watch may tell of it late, or never. Where
   * the Lease is not that of the term under way, the term ends at once.
   * @returns whether this process leads, as of after the call
   * @throws what the reading of the Lease met; the term goes on by its clock
   */
  abstract confirm(): Promise<boolean>;

  get isLeader(): boolean {
    return this.term !== undefined;
  }

  get epoch(): number | undefined {
    return this.term?.epoch;
  }
}
