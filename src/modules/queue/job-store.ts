import type { WakeHint } from './job-waker.js';
import type { Claim, Fence, InlinePayload, LaneKey, LaneOrder, LaneView, RunOutcome } from './lanes.js';

export interface ClaimRequest {
  worker: string;
  limit: number;
  /** False while overdue periodic lanes have used up their share. */
  periodic: boolean;
}

export interface CompleteResult {
  /** The lane had a newer epoch: nothing of the outcome was written. */
  fenced: boolean;
  /** A newer order waits: the lane is due again at once. */
  again: boolean;
}

/** What a heartbeat tells a worker. */
export interface Heartbeat {
  /** Lanes of this worker with an order newer than their claim. */
  superseded: Fence[];
  /** All lanes of this worker. */
  held: Fence[];
}

export interface LaneQuery {
  namespace?: string;
  state?: string;
  kind?: string;
  limit: number;
  continue?: string;
}

/**
 * The durable lanes. All times are the store's clock; all waits belong to the callers.
 * Guarantees, whatever the number of workers: at most one unexpired claim per lane; an order is either covered by the
 * claim that runs or makes the lane due again when that run ends; nothing is lost by a crash between any two calls.
 */
export abstract class JobStore {
  /** Folds orders into their lanes; one transaction. Orders of objects that do not exist any more are dropped. */
  abstract order(orders: readonly LaneOrder[]): Promise<void>;

  /**
   * Orders a posted deployment.
   * @returns the number of the order, for `awaitOrder`.
   * @throws ConflictError when a stored object has that lane; InvalidInputError when the job id is lower than one before.
   */
  abstract orderInline(order: LaneOrder & { payload: InlinePayload }): Promise<string>;

  /**
   * Holds the runs of a stored object back, or lets them go on. What is ordered meanwhile waits; a run under way ends as it
   * would. Lasting: it outlives workers and stores that are opened anew.
   * @returns false when there is no such lane, or it is one of a posted deployment
   */
  abstract suspend(key: LaneKey, suspended: boolean): Promise<boolean>;

  abstract register(worker: string, leaseMs: number): Promise<void>;
  /** Takes due lanes, the most urgent first, fair over namespaces. */
  abstract claim(request: ClaimRequest): Promise<Claim[]>;
  /** Extends the lease of everything that the worker holds. @throws LeaseLostError when it has ended. */
  abstract heartbeat(worker: string, leaseMs: number): Promise<Heartbeat>;
  /** Frees lanes that the worker holds without running them: the answer to its claim was lost. They are due again at once. */
  abstract release(worker: string, fences: readonly Fence[]): Promise<void>;
  abstract complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult>;
  /**
   * Frees the lanes of workers whose lease ended more than the abort grace ago.
   * @param before awaited when there is such a worker, before any lane of it is freed
   * @returns how many
   */
  abstract takeOver(graceMs: number, before?: () => Promise<void>): Promise<number>;
  /** Ends all workers but this one. Only where nobody else can have the store: on the embedded database. @returns how many lanes were freed. */
  abstract retireOthers(worker: string): Promise<number>;
  /** Ends a worker: its lanes are due again at once. */
  abstract retire(worker: string): Promise<void>;

  /**
   * Milliseconds until the next lane is due, at most `capMs`.
   * @param periodic false: periodic lanes do not count. Default true.
   */
  abstract nextDueMs(capMs: number, periodic?: boolean): Promise<number>;
  abstract find(key: LaneKey): Promise<LaneView | undefined>;
  abstract list(query: LaneQuery): Promise<{ items: LaneView[]; next?: string }>;
  /**
   * True once the order with this number, or a later one of its lane, has run. That of a posted deployment has left its summary
   * then: one that broke off before is tried again first.
   */
  abstract isDone(key: LaneKey, seq: string): Promise<boolean>;

  /** Expands waiting fan-outs by one page. @returns false when none waits. */
  abstract expandFanOuts(pageSize: number): Promise<boolean>;
  /**
   * Calls back when lanes or fan-outs changed: here at once, elsewhere coalesced; best effort.
   * @returns a function that ends it
   */
  abstract onWake(listener: (hint: WakeHint) => void): () => void;
}
