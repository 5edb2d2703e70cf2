import {
  continueAfter,
  FencedError,
  JobStore,
  positionOf,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type FanOut,
  type Fence,
  type Heartbeat,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type LaneQuery,
  type LaneView,
  type OrderedLane,
  type RunOutcome,
  type WakeHint,
} from '../../../modules/queue/index.js';
import { leavesNothing } from './endings.js';
import { notLeading } from './errors.js';
import { FanOutQueue, type DependentsOf } from './fan-out-queue.js';
import { figuresOf, type MemoryFigures } from './figures.js';
import { stateOf, viewOf, type KnownObject, type KnownPosted, type Lane } from './lane.js';
import { LaneTable, type LaneTableOptions } from './lane-table.js';
import type { MemoryWaker } from './memory-waker.js';

/**
 * Writes what a run leaves behind: status, summary, history, or the removal of the object's finalizer. The claim holds its lane
 * from the beginning to the end of it, unless the leadership is lost.
 * @param stop aborted when the leadership is lost
 * @returns whether the object was let go: no run can do more for it, and the watch tells when it has gone
 * @throws FencedError when a newer leader has written already; any other error, and it is tried again
 */
export type OutcomeWriter = (claim: Claim, outcome: RunOutcome, stop: AbortSignal) => Promise<boolean>;

export interface MemoryLanesOptions extends LaneTableOptions {
  write: OutcomeWriter;
  /** Pages of the instances that depend on what was written, from the caches. */
  dependentsOf: DependentsOf;
  waker: MemoryWaker;
}

const FENCED: CompleteResult = { fenced: true, again: false };
const DONE: CompleteResult = { fenced: false, again: false };
const SOMETHING: WakeHint = { lanes: [], fanOuts: false };

/**
 * The lanes of the leading replica, in memory: the objects are the durable half, from which `lead` makes them anew. A replica
 * that does not lead has none, gets no claims, and refuses orders.
 */
export class MemoryLanes extends JobStore {
  readonly #lanes: LaneTable;
  readonly #fanOuts: FanOutQueue;
  readonly #waker: MemoryWaker;
  /** Aborted with the end of the term. */
  #over = new AbortController();
  #isLive: () => boolean = () => true;

  constructor(private readonly options: MemoryLanesOptions) {
    super();
    this.#lanes = new LaneTable(options);
    this.#fanOuts = new FanOutQueue(options.dependentsOf);
    this.#waker = options.waker;
  }

  get leading(): boolean {
    return this.#table.leading;
  }

  /**
   * Begins to lead. Call it with the caches synced, and order what changes from then on.
   * @param term greater than any that another leader had: the transitions of the Lease. Part of each fence's epoch
   * @param objects all deployable objects, each once
   * @param isLive looks at the clock: false once another leader may have taken over. Asked before anything is given or allowed,
   * because what calls `drop` is late when the process stood still
   */
  lead(term: number, objects: Iterable<KnownObject>, isLive: () => boolean = () => true): void {
    this.drop();
    this.#over = new AbortController();
    this.#isLive = isLive;
    this.#lanes.lead(term, objects);
    this.#waker.wake({ lanes: [], fanOuts: true });
  }

  /** The leadership is lost: every claim is fenced and every lane gone before this returns. Runs are told to stop. */
  drop(): void {
    if (!this.#lanes.leading) return;
    this.#over.abort(new FencedError());
    this.#lanes.drop();
    this.#fanOuts.clear();
    // Workers find at their next heartbeat, which this hastens, that they have lost their lease, and stop all runs.
    this.#waker.wake(SOMETHING);
    this.#waker.finished();
  }

  /** The object of a lane is gone. Its run, if there is one, is fenced and told to end; nothing of that name runs before it has. */
  forget(key: LaneKey): void {
    this.#table.forget(key);
    this.#left(key);
  }

  /** The same for an object that stands and is given up: until it is forgotten, nothing is ordered for it. */
  close(key: LaneKey): void {
    this.#table.close(key);
    this.#left(key);
  }

  /** The lane of a posted deployment that was taken in an earlier term. */
  recallPosted(posted: KnownPosted): void {
    this.#table.recallPosted(posted);
    this.#waker.wake(SOMETHING);
  }

  /** Takes a posted deployment that was accepted before. @throws UnavailableError on a replica that does not lead */
  takePosted(order: LaneOrder & { payload: InlinePayload }): void {
    const seq = this.#table.takePosted(order);
    this.#waker.wake({ lanes: [numbered(order, seq)], fanOuts: false });
  }

  /** The record of a posted deployment is gone. Its run, if there is one, is fenced. */
  forgetPosted(key: LaneKey): void {
    this.#table.forgetPosted(key);
    this.#left(key);
  }

  /** Holds the orders of a lane back, or lets them go. A run under way ends as it would. */
  setSuspended(key: LaneKey, suspended: boolean): void {
    this.#table.setSuspended(key, suspended);
    if (!suspended) this.#waker.wake(SOMETHING);
  }

  /** Whoever writes for a run asks this right before. @throws FencedError when the run has lost its lane */
  assertFence(fence: Fence): void {
    this.#table.assertFence(fence);
  }

  /** Orders the dependents of what was written, page by page. @throws UnavailableError on a replica that does not lead */
  insertFanOuts(fanOuts: readonly FanOut[]): void {
    if (!this.#table.leading) throw notLeading();
    this.#fanOuts.add(fanOuts);
    if (fanOuts.length > 0) this.#waker.wake({ lanes: [], fanOuts: true });
  }

  /** Counts, by one look at each lane. */
  figures(): MemoryFigures {
    return figuresOf(this.#table, this.#fanOuts.size, this.options.clock.now());
  }

  override order(orders: readonly LaneOrder[]): Promise<void> {
    return attempt(() => {
      this.#waker.wake({ lanes: this.#order(orders), fanOuts: false });
    });
  }

  override suspend(key: LaneKey, suspended: boolean): Promise<boolean> {
    return attempt(() => {
      if (!this.#table.leading) throw notLeading();
      const lane = this.#table.find(key);
      if (!lane || lane.inline) return false;
      this.setSuspended(key, suspended);
      return true;
    });
  }

  override orderInline(order: LaneOrder & { payload: InlinePayload }): Promise<string> {
    return attempt(() => {
      const seq = this.#table.orderInline(order);
      this.#waker.wake({ lanes: [numbered(order, seq)], fanOuts: false });
      return String(seq);
    });
  }

  override register(worker: string, leaseMs: number): Promise<void> {
    return attempt(() => this.#table.register(worker, leaseMs));
  }

  override claim(request: ClaimRequest): Promise<Claim[]> {
    return attempt(() => this.#table.claim(request));
  }

  override heartbeat(worker: string, leaseMs: number): Promise<Heartbeat> {
    return attempt(() => this.#table.heartbeat(worker, leaseMs));
  }

  override release(worker: string, fences: readonly Fence[]): Promise<void> {
    return attempt(() => {
      this.#table.release(worker, fences);
      this.#waker.wake(SOMETHING);
    });
  }

  override async complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    let lane = this.#table.held(claim.fence);
    // One outcome at a time, whoever asks for it twice.
    while (lane?.writing) {
      await lane.writing;
      lane = this.#table.held(claim.fence);
    }
    if (!lane) {
      this.#table.runEnded(claim.fence);
      return FENCED;
    }
    // How a posted run ended is always told: somebody may wait for it.
    const quiet = leavesNothing(outcome) && (!claim.payload || outcome.result === 'yielded');
    const result = quiet
      ? this.#table.finish(lane, claim, outcome)
      : await this.#written(lane, claim, outcome);
    if (claim.payload && !result.fenced) this.#waker.finished();
    return result;
  }

  override async takeOver(graceMs: number, before?: () => Promise<void>): Promise<number> {
    if (this.#table.dead(graceMs).length === 0) return 0;
    await before?.();
    return this.#table.takeOver(graceMs);
  }

  override retireOthers(worker: string): Promise<number> {
    return attempt(() =>
      this.#table.leases.others(worker).reduce((sum, other) => sum + this.#table.retire(other), 0),
    );
  }

  override retire(worker: string): Promise<void> {
    return attempt(() => {
      if (this.#table.retire(worker) > 0) this.#waker.wake(SOMETHING);
    });
  }

  override nextDueMs(capMs: number, periodic = true): Promise<number> {
    return attempt(() => this.#table.nextDueMs(capMs, periodic));
  }

  override find(key: LaneKey): Promise<LaneView | undefined> {
    return attempt(() => {
      if (!this.#table.leading) throw notLeading();
      const lane = this.#table.find(key);
      return lane && viewOf(lane, this.options.clock);
    });
  }

  override list(query: LaneQuery): Promise<{ items: LaneView[]; next?: string }> {
    return attempt(() => {
      if (!this.#table.leading) throw notLeading();
      const { kind, namespace, state, limit } = query;
      const lanes = this.#table.page(
        positionOf(query.continue),
        limit + 1,
        (lane) =>
          (kind === undefined || lane.kind === kind) &&
          (namespace === undefined || lane.namespace === namespace) &&
          (state === undefined || stateOf(lane) === state),
      );
      const items = lanes.slice(0, limit).map((lane) => viewOf(lane, this.options.clock));
      const last = items.at(-1);
      return lanes.length <= limit || !last ? { items } : { items, next: continueAfter(last) };
    });
  }

  override isDone(key: LaneKey, seq: string): Promise<boolean> {
    return attempt(() => this.#table.isDone(key, seq));
  }

  override expandFanOuts(pageSize: number): Promise<boolean> {
    return this.#fanOuts.expand(pageSize, (orders) => {
      const lanes = this.#order(orders);
      if (lanes.length > 0) this.#waker.wake({ lanes, fanOuts: false });
    });
  }

  override onWake(listener: (hint: WakeHint) => void): () => void {
    return this.#waker.onWake(listener);
  }

  /** The lanes, after a look at whether this replica still leads. */
  get #table(): LaneTable {
    if (this.#lanes.leading && !this.#isLive()) this.drop();
    return this.#lanes;
  }

  /** The run of a lane that was left is told by the next heartbeat, which this hastens. */
  #left({ kind, namespace, name }: LaneKey): void {
    this.#waker.wake({ lanes: [{ kind, namespace, name }], fanOuts: false });
    this.#waker.finished();
  }

  #order(orders: readonly LaneOrder[]): OrderedLane[] {
    return orders.flatMap((order) => {
      const seq = this.#table.order(order);
      return seq === undefined ? [] : [numbered(order, seq)];
    });
  }

  async #written(lane: Lane, claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const { signal } = this.#over;
    // Begins a moment later, when the lane is known to be written for.
    const written = Promise.resolve().then(() => this.options.write(claim, outcome, signal));
    lane.writing = written.then(nothing, nothing);
    let letGo: boolean;
    try {
      letGo = await written;
    } catch (error) {
      lane.writing = undefined;
      const ours = this.#table.has(lane);
      if (error instanceof FencedError || signal.aborted) {
        if (ours) this.#table.refuse(lane);
        return FENCED;
      }
      if (ours) this.#table.writeFailed(lane);
      throw error;
    }
    lane.writing = undefined;
    const table = this.#table;
    if (signal.aborted) return FENCED;
    // The removal of an object may be seen, and its lane forgotten, before the answer to it is here.
    return table.has(lane) ? table.finish(lane, claim, outcome, letGo) : DONE;
  }
}

function numbered({ kind, namespace, name }: LaneKey, seq: number): OrderedLane {
  return { kind, namespace, name, seq: String(seq) };
}

function nothing(): void {
  // The outcome of a write is told to whoever asked for it.
}

/** What is done at once answers as what takes time: also by a rejection. */
function attempt<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}
