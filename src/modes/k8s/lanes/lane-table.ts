import {
  DEFAULT_BACKOFF,
  FencedError,
  refuseOlderJob,
  startOfClaim,
  storedObjectExists,
  type BackoffOptions,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type Fence,
  type Heartbeat,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type LanePosition,
  type RunOutcome,
} from '../../../modules/queue/index.js';
import { notLeading, orderForgotten } from './errors.js';
import { finish, interrupt, recall, type Moment } from './endings.js';
import {
  claimOf,
  fenceOf,
  keyText,
  newLane,
  type KnownObject,
  type KnownPosted,
  type Lane,
  type LaneClock,
} from './lane.js';
import { LaneIndex } from './lane-index.js';
import { Leases } from './leases.js';
import { cover, fold } from './orders.js';
import { Schedule } from './schedule.js';
import { UnendedRuns } from './unended-runs.js';

export interface LaneTableOptions {
  clock: LaneClock;
  /** Whether a stored object of that name is known. */
  exists: (key: LaneKey) => boolean;
  /** 0 to 1. Default: Math.random. */
  random?: () => number;
  backoff?: BackoffOptions;
}

/**
 * The leader's lanes. Every method is done at once, as one transaction of a database would be; what has to wait is around it
 * (`MemoryLanes`). Nothing here looks at all lanes but the beginning and the end of a term, and lists.
 */
export class LaneTable {
  readonly #lanes = new Map<string, Lane>();
  readonly #byId = new Map<string, Lane>();
  readonly #schedule = new Schedule();
  readonly #index = new LaneIndex(() => this.#lanes.values());
  readonly leases = new Leases();
  /** Undefined: this replica does not lead. */
  #term: number | undefined;
  #lastTerm: number | undefined;
  readonly #suspended = new Set<string>();
  /** Keys for which nothing is ordered, because their objects are being given up. */
  readonly #closed = new Set<string>();
  readonly #unended = new UnendedRuns();
  /** Numbers of orders, lanes and places in the queue; never used twice in this process, whatever becomes of the terms. */
  #seq = 0;
  #laneIds = 0;
  #places = 0;
  #turn = 0;
  /** Orders up to this number were forgotten with their term. */
  #forgottenSeq = 0;
  /** No lane that is gone was claimed more often in this term: one that comes back goes on from there. */
  #claimsBefore = 0;

  constructor(private readonly options: LaneTableOptions) {}

  get leading(): boolean {
    return this.#term !== undefined;
  }

  get #now(): number {
    return this.options.clock.now();
  }

  get #moment(): Moment {
    const { random = Math.random, backoff = DEFAULT_BACKOFF } = this.options;
    return { now: this.#now, random, backoff };
  }

  /**
   * Begins a term with what is known of its objects. Workers that registered before stay.
   * @param term grows with each change of the leader, wherever it is
   */
  lead(term: number, objects: Iterable<KnownObject>): void {
    if (this.leading) this.drop();
    if (term !== this.#lastTerm) this.#claimsBefore = 0;
    this.#lastTerm = this.#term = term;
    for (const object of objects) this.#recall(object);
  }

  /** Makes the lane of a posted deployment that was taken in an earlier term, unless there is a lane by now. */
  recallPosted(posted: KnownPosted): void {
    if (!this.leading || this.find(posted)) return;
    const lane = this.#recall(posted);
    lane.payload = posted.payload;
    lane.inline = true;
    lane.actor = posted.actor;
  }

  #recall(object: KnownObject): Lane {
    const lane = this.#create(object, object.generation, object.action === 'delete');
    lane.suspended = object.suspended ?? false;
    if (lane.suspended) this.#suspended.add(keyText(lane));
    lane.orderSeq = ++this.#seq;
    lane.orderedAt = this.#now;
    recall(lane, object, this.#moment);
    this.#await(lane);
    return lane;
  }

  /** Ends the term: all lanes are gone, all claims fenced, and all workers have lost their lease. */
  drop(): void {
    for (const lane of this.#lanes.values()) {
      this.#claimsBefore = Math.max(this.#claimsBefore, lane.claims);
      lane.worker = undefined;
      lane.shelf = undefined;
    }
    this.#term = undefined;
    this.#forgottenSeq = this.#seq;
    this.leases.endAll();
    this.#schedule.clear();
    this.#index.forget();
    this.#suspended.clear();
    this.#closed.clear();
    this.#unended.clear();
    this.#lanes.clear();
    this.#byId.clear();
  }

  /**
   * Folds an order into its lane. Without a lane and without an object, or with one that is being given up, it is dropped.
   * @returns the number of the order; undefined: dropped
   * @throws UnavailableError when this replica does not lead
   */
  order(order: LaneOrder): number | undefined {
    if (!this.leading) throw notLeading();
    const lane = this.#lanes.get(keyText(order));
    if (this.#closed.has(keyText(order))) return undefined;
    if (!lane && !order.payload && !this.options.exists(order)) return undefined;
    return this.#fold(lane ?? this.#create(order, order.generation, order.action === 'delete'), order);
  }

  /** @returns the number of the order @throws ConflictError, InvalidInputError, UnavailableError */
  orderInline(order: LaneOrder & { payload: InlinePayload }): number {
    if (!this.leading) throw notLeading();
    if (this.options.exists(order)) throw storedObjectExists(order);
    const before = this.#lanes.get(keyText(order));
    if (before?.payload) refuseOlderJob(before.payload.jobId, order.payload.jobId);
    // A copy, as a database would have: the sender may go on with what it posted.
    return this.takePosted({ ...order, payload: structuredClone(order.payload) });
  }

  /** Folds in a posted deployment that was accepted before. @returns the number of the order @throws UnavailableError */
  takePosted(order: LaneOrder & { payload: InlinePayload }): number {
    if (!this.leading) throw notLeading();
    const lane = this.find(order) ?? this.#create(order, order.generation, order.action === 'delete');
    lane.payload = order.payload;
    return this.#fold(lane, order);
  }

  #fold(lane: Lane, order: LaneOrder): number {
    this.#schedule.remove(lane);
    fold(lane, order, ++this.#seq, this.#now);
    this.#await(lane);
    return lane.orderSeq;
  }

  claim({ worker, limit, periodic }: ClaimRequest): Claim[] {
    const now = this.#now;
    if (this.#term === undefined || !this.leases.isLive(worker, now)) return [];
    const lanes = this.#schedule.take(now, limit, startOfClaim(this.#turn++), periodic);
    for (const lane of lanes) {
      this.leases.hold(worker, lane);
      cover(lane, this.#term, now);
    }
    return lanes.map((lane) => claimOf(lane, this.options.clock));
  }

  register(worker: string, leaseMs: number): void {
    this.leases.register(worker, this.#now + leaseMs);
  }

  /** @throws LeaseLostError */
  heartbeat(worker: string, leaseMs: number): Heartbeat {
    const lanes = this.leases.renew(worker, this.#now, this.#now + leaseMs);
    const superseded = lanes.filter((lane) => lane.orderSeq > lane.claimedSeq || this.#unended.has(lane));
    return { held: lanes.map(fenceOf), superseded: superseded.map(fenceOf) };
  }

  release(worker: string, fences: readonly Fence[]): void {
    for (const fence of fences) {
      const lane = this.held(fence) ?? this.#unended.find(fence);
      if (lane?.worker === worker) this.#free(lane);
    }
  }

  /** @returns how many lanes were freed */
  retire(worker: string): number {
    const lanes = this.leases.end(worker);
    for (const lane of lanes) this.#free(lane);
    return lanes.length;
  }

  takeOver(graceMs: number): number {
    return this.dead(graceMs).reduce((sum, worker) => sum + this.retire(worker), 0);
  }

  /** Workers whose lease ended more than that ago. */
  dead(graceMs: number): string[] {
    return this.leases.endedBefore(this.#now - graceMs);
  }

  /** The lane of a claim, while that claim holds it. */
  held({ laneId, epoch }: Fence): Lane | undefined {
    const lane = this.#byId.get(laneId);
    return lane?.worker !== undefined && lane.epoch === epoch ? lane : undefined;
  }

  /** @throws FencedError when the lane was freed, claimed again or removed, or the term has ended */
  assertFence(fence: Fence): void {
    if (!this.held(fence)) throw new FencedError();
  }

  /**
   * Frees a lane that its claim holds, after all that its run leaves behind was written.
   * @param letGo see `OutcomeWriter`
   */
  finish(lane: Lane, claim: Claim, outcome: RunOutcome, letGo = false): CompleteResult {
    lane.freed = false;
    this.leases.letGo(lane);
    if (outcome.result === 'removed' && this.#mayGo(lane)) {
      this.#remove(lane);
      return { fenced: false, again: false };
    }
    const again = finish(lane, claim, outcome, this.#moment, letGo);
    this.#await(lane);
    return { fenced: false, again };
  }

  /** Frees a lane whose run was refused elsewhere: its order has not run, and is not tried again at once. */
  refuse(lane: Lane): void {
    lane.freed = false;
    this.leases.letGo(lane);
    interrupt(lane, this.#moment);
    this.#await(lane);
  }

  /** What was freed while its outcome was being written, in vain, is due now. */
  writeFailed(lane: Lane): void {
    if (lane.freed) this.#free(lane);
  }

  /** Forgets a lane with its object. A run under way is fenced from then on, and whatever has the name next waits for its end. */
  forget(key: LaneKey): void {
    this.#leave(this.find(key));
    this.#suspended.delete(keyText(key));
    this.#closed.delete(keyText(key));
  }

  /** The same while the object stands, to be given up: nothing is ordered for it any more, until it is forgotten. */
  close(key: LaneKey): void {
    if (!this.leading) return;
    this.#leave(this.find(key));
    this.#closed.add(keyText(key));
  }

  /** The same for a posted deployment, unless an object has taken its lane. */
  forgetPosted(key: LaneKey): void {
    if (this.find(key)?.inline) this.#leave(this.find(key));
  }

  /** The run of that claim is over. Where its lane was forgotten meanwhile, what waited for that may run. */
  runEnded(fence: Fence): void {
    const lane = this.#unended.find(fence);
    if (lane) this.#free(lane);
  }

  /** Orders of a suspended lane wait until it is resumed; a run under way ends as it would. */
  setSuspended(key: LaneKey, suspended: boolean): void {
    if (suspended) this.#suspended.add(keyText(key));
    else this.#suspended.delete(keyText(key));
    const lane = this.find(key);
    if (!lane) return;
    this.#schedule.remove(lane);
    lane.suspended = suspended;
    this.#await(lane);
  }

  nextDueMs(capMs: number, periodic: boolean): number {
    return this.#schedule.nextDueMs(this.#now, capMs, periodic);
  }

  find(key: LaneKey): Lane | undefined {
    return this.#lanes.get(keyText(key));
  }

  /** @returns whether the lane is still the one of its key */
  has(lane: Lane): boolean {
    return this.#byId.get(lane.id) === lane;
  }

  /** All of them, in no particular order. */
  all(): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  page(after: LanePosition, limit: number, fits: (lane: Lane) => boolean): Lane[] {
    return this.#index.page(after, limit, fits);
  }

  /** A lane that is gone has run all that was ordered. @throws UnavailableError when that is not known (any more) */
  isDone(key: LaneKey, seq: string): boolean {
    if (!this.leading) throw notLeading();
    if (Number(seq) <= this.#forgottenSeq) throw orderForgotten();
    return (this.find(key)?.doneSeq ?? Infinity) >= Number(seq);
  }

  #create(key: LaneKey, generation: number, deleting: boolean): Lane {
    const { kind, namespace, name } = key;
    const lane = newLane({
      id: String(++this.#laneIds),
      kind,
      namespace,
      name,
      suspended: this.#suspended.has(keyText(key)),
      generation,
      deleting,
      claims: this.#claimsBefore,
    });
    this.#lanes.set(keyText(lane), lane);
    this.#byId.set(lane.id, lane);
    this.#index.add(lane);
    return lane;
  }

  /** Puts a lane where it waits for its time, unless it is run, is suspended or has nothing to wait for. */
  #await(lane: Lane): void {
    if (lane.worker !== undefined || lane.dueAt === undefined || lane.suspended) return;
    if (this.#unended.holdsBack(lane)) return;
    lane.turn = ++this.#places;
    this.#schedule.add(lane);
  }

  /**
   * What the lane ran is due again at once, with the cause that it had; the next claim gets a new epoch. What was reached
   * before is not known to hold any more, because nobody knows how far the run came.
   */
  #free(lane: Lane): void {
    if (this.#unended.has(lane)) return this.#letNext(lane);
    // The outcome of its run is on its way, and may be written or not: nobody may begin before that is known.
    lane.freed = lane.writing !== undefined;
    if (lane.freed) return;
    this.leases.letGo(lane);
    lane.dueAt = this.#now;
    lane.lastHash = undefined;
    this.#await(lane);
  }

  /** It stays when its object is there all the same (made anew meanwhile), or another deployment was posted. */
  #mayGo(lane: Lane): boolean {
    return (!lane.inline || lane.orderSeq === lane.claimedSeq) && !this.options.exists(lane);
  }

  /** Takes out a lane that may be run. Once its outcome is being written nothing else of the run is under way. */
  #leave(lane: Lane | undefined): void {
    if (!lane) return;
    if (lane.worker === undefined || lane.writing) return this.#remove(lane);
    this.#takeOut(lane);
    this.#unended.add(lane);
  }

  #letNext(lane: Lane): void {
    this.#unended.delete(lane);
    this.leases.letGo(lane);
    const next = this.find(lane);
    if (next) this.#await(next);
  }

  #remove(lane: Lane): void {
    this.#takeOut(lane);
    this.leases.letGo(lane);
  }

  #takeOut(lane: Lane): void {
    this.#claimsBefore = Math.max(this.#claimsBefore, lane.claims);
    this.#schedule.remove(lane);
    this.#index.remove(lane);
    this.#lanes.delete(keyText(lane));
    this.#byId.delete(lane.id);
  }
}
