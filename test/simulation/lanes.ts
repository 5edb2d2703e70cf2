import { matchTargets } from '@symphony/planning';
import type { InstanceSpec, LedgerEntry, ObjectKind, StoredObject } from '@symphony/model';
import {
  CAUSES,
  FencedError,
  LeaseLostError,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type FanOut,
  type Fence,
  type Heartbeat,
  type LaneOrder,
  type RunOutcome,
} from '../../src/modules/queue/index.js';
import type { LaneKeeper } from './lane-keeper.js';
import type { Random } from './random.js';

/** What the queue reads of the other tables. */
export interface OtherTables {
  /** The server's clock, in milliseconds. */
  readonly now: number;
  object(key: { kind: 'Instance' | 'Target'; namespace: string; name: string }): StoredObject | undefined;
  list<K extends ObjectKind>(kind: K): StoredObject<K>[];
  ledgerOf(ownerUid: string): LedgerEntry[];
}

/** A lane as the table holds it; times are the store's clock in milliseconds. */
interface Lane {
  id: string;
  kind: 'Instance' | 'Target';
  namespace: string;
  name: string;
  epoch: number;
  worker: string | undefined;
  generation: number;
  deleting: boolean;
  cause: number;
  orderSeq: number;
  claimedSeq: number;
  doneSeq: number;
  dueAt: number | undefined;
  attempts: number;
  lastHash: string | undefined;
  result: RunOutcome['result'] | undefined;
  orderedAt: number;
}

const PERIODIC = CAUSES.indexOf('periodic');
const RETRY = CAUSES.indexOf('retry');
const BACKOFF = { minMs: 1_000, firstMs: 2_000, maxMs: 60_000 };

/** The queue's tables, with the meaning of the SQL of standalone mode. Every method is one transaction. */
export class Lanes implements LaneKeeper {
  readonly #lanes = new Map<string, Lane>();
  /** Lease ends by worker. */
  readonly #workers = new Map<string, number>();
  readonly #fanOuts: (FanOut & { properties: Record<string, string>[] })[] = [];
  #seq = 0;
  #turn = 0;

  constructor(
    private readonly tables: OtherTables,
    private readonly random: Random,
  ) {}

  #ofObject({ kind, namespace, name }: { kind: string; namespace: string; name: string }): Lane | undefined {
    return this.#lanes.get(`${kind}/${namespace}/${name}`);
  }

  #byId(id: string): Lane | undefined {
    for (const lane of this.#lanes.values()) if (lane.id === id) return lane;
    return undefined;
  }

  /** @param unlocked the objects were read without a lock: what is gone meanwhile gets no lane */
  order(orders: readonly LaneOrder[], unlocked: boolean): void {
    for (const order of orders) {
      if (!unlocked || this.tables.object(order) || this.#ofObject(order)) this.#fold(order);
    }
  }

  #fold(order: LaneOrder): void {
    const now = this.tables.now;
    const seq = ++this.#seq;
    const cause = CAUSES.indexOf(order.cause);
    const dueAt = now + (order.delayMs ?? 0);
    const lane = this.#ofObject(order);
    if (!lane) {
      this.#lanes.set(`${order.kind}/${order.namespace}/${order.name}`, {
        id: String(seq),
        kind: order.kind,
        namespace: order.namespace,
        name: order.name,
        epoch: 0,
        worker: undefined,
        generation: order.generation,
        deleting: order.action === 'delete',
        cause,
        orderSeq: seq,
        claimedSeq: 0,
        doneSeq: 0,
        dueAt,
        attempts: 0,
        lastHash: undefined,
        result: undefined,
        orderedAt: now,
      });
      return;
    }
    lane.cause = lane.dueAt === undefined ? cause : Math.min(lane.cause, cause);
    if (lane.dueAt === undefined || lane.orderSeq === lane.claimedSeq) lane.orderedAt = now;
    lane.orderSeq = seq;
    lane.generation = Math.max(lane.generation, order.generation);
    lane.deleting ||= order.action === 'delete';
    lane.dueAt = Math.min(lane.dueAt ?? dueAt, dueAt);
    lane.attempts = 0;
  }

  register(worker: string, leaseMs: number): void {
    this.#workers.set(worker, this.tables.now + leaseMs);
  }

  claim({ worker, limit, periodic }: ClaimRequest): Claim[] {
    const { now } = this.tables;
    if ((this.#workers.get(worker) ?? 0) <= now) return [];
    // Every fourth claim begins with a cause of chance, so that fairness is not what the rest relies on.
    const first = this.#turn++ % 4 === 3 ? this.random.integer(0, PERIODIC) : 0;
    const rank = (lane: Lane): number => (lane.cause === first ? -1 : lane.cause);
    return [...this.#lanes.values()]
      .filter((lane) => lane.worker === undefined && lane.dueAt !== undefined && lane.dueAt <= now)
      .filter((lane) => periodic || lane.cause !== PERIODIC)
      .toSorted((a, b) => rank(a) - rank(b) || (a.dueAt ?? 0) - (b.dueAt ?? 0))
      .slice(0, limit)
      .map((lane) => this.#take(lane, worker));
  }

  #take(lane: Lane, worker: string): Claim {
    lane.worker = worker;
    lane.epoch++;
    lane.claimedSeq = lane.orderSeq;
    lane.dueAt = undefined;
    return {
      kind: lane.kind,
      namespace: lane.namespace,
      name: lane.name,
      fence: { laneId: lane.id, epoch: lane.epoch },
      seq: String(lane.orderSeq),
      generation: lane.generation,
      action: lane.deleting ? 'delete' : 'update',
      cause: CAUSES[lane.cause] ?? 'periodic',
      attempts: lane.attempts,
      ...(lane.lastHash === undefined ? {} : { lastHash: lane.lastHash }),
      orderedAt: new Date(lane.orderedAt).toISOString(),
      claimedAt: new Date(this.tables.now).toISOString(),
    };
  }

  heartbeat(worker: string, leaseMs: number): Heartbeat {
    if ((this.#workers.get(worker) ?? 0) <= this.tables.now) throw new LeaseLostError();
    this.#workers.set(worker, this.tables.now + leaseMs);
    const held = this.#heldBy(worker);
    const superseded = held.filter((lane) => lane.orderSeq > lane.claimedSeq);
    return { held: held.map(fenceOf), superseded: superseded.map(fenceOf) };
  }

  release(worker: string, fences: readonly Fence[]): void {
    for (const { laneId, epoch } of fences) {
      const lane = this.#byId(laneId);
      if (lane?.worker === worker && lane.epoch === epoch) this.#free(lane);
    }
  }

  holds({ laneId, epoch }: Fence): boolean {
    const lane = this.#byId(laneId);
    return lane !== undefined && lane.epoch === epoch && lane.worker !== undefined;
  }

  mayAct(fence: Fence): boolean {
    return this.holds(fence);
  }

  assertFence(fence: Fence): void {
    if (!this.holds(fence)) throw new FencedError();
  }

  takeOver(graceMs: number): number {
    const dead = [...this.#workers].filter(([, until]) => until < this.tables.now - graceMs);
    return dead.reduce((sum, [worker]) => sum + this.retire(worker), 0);
  }

  retire(worker: string): number {
    if (!this.#workers.delete(worker)) return 0;
    const held = this.#heldBy(worker);
    for (const lane of held) this.#free(lane);
    return held.length;
  }

  /** @param write stores what the outcome leaves behind; the fence holds when it is called */
  complete(claim: Claim, outcome: RunOutcome, write: () => void): CompleteResult {
    const lane = this.#byId(claim.fence.laneId);
    if (!lane || !this.holds(claim.fence)) return { fenced: true, again: false };
    write();
    if (outcome.result === 'removed' && !this.tables.object(claim)) {
      this.#lanes.delete(`${lane.kind}/${lane.namespace}/${lane.name}`);
      return { fenced: false, again: false };
    }
    return { fenced: false, again: this.#finish(lane, outcome) };
  }

  #finish(lane: Lane, outcome: RunOutcome): boolean {
    const { result } = outcome;
    const again = lane.orderSeq > lane.claimedSeq;
    const first = lane.doneSeq === 0;
    const attempts = lane.attempts;
    lane.worker = undefined;
    lane.result = result;
    lane.lastHash = result === 'succeeded' ? outcome.deploymentHash : undefined;
    if (result !== 'yielded') lane.doneSeq = lane.claimedSeq;
    if (again) {
      lane.attempts = 0;
      return true;
    }
    if (result === 'yielded') {
      lane.dueAt = this.tables.now;
      return false;
    }
    lane.attempts = result === 'retry' ? attempts + 1 : 0;
    const retries = result === 'retry' || result === 'removed';
    lane.cause = retries ? RETRY : PERIODIC;
    lane.dueAt = retries ? this.tables.now + this.#backoff(attempts, outcome) : this.#nextRun(first, outcome);
    return false;
  }

  #backoff(attempts: number, { retryAfterMs }: RunOutcome): number {
    const most = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(attempts, 30));
    return Math.max(retryAfterMs ?? 0, BACKOFF.minMs, this.random.next() * most);
  }

  #nextRun(first: boolean, { nextRunMs }: RunOutcome): number | undefined {
    if (nextRunMs === undefined) return undefined;
    return this.tables.now + nextRunMs * (first ? this.random.next() : this.random.between(0.9, 1.1));
  }

  nextDueMs(capMs: number, periodic: boolean): number {
    const due = [...this.#lanes.values()]
      .filter((lane) => lane.worker === undefined && (periodic || lane.cause !== PERIODIC))
      .map((lane) => (lane.dueAt ?? Infinity) - this.tables.now);
    return Math.max(0, Math.min(capMs, ...due));
  }

  insertFanOuts(fanOuts: readonly FanOut[]): void {
    for (const fanOut of fanOuts) {
      const sets = [fanOut.propertiesBefore, fanOut.propertiesAfter];
      this.#fanOuts.push({ ...fanOut, properties: sets.filter((set) => set !== undefined) });
    }
  }

  expandFanOuts(): boolean {
    const fanOut = this.#fanOuts.shift();
    if (!fanOut) return false;
    const orders = this.tables.list('Instance').flatMap((instance) => {
      const { namespace, name, generation } = instance;
      const order: LaneOrder = {
        kind: 'Instance',
        namespace,
        name,
        generation,
        action: 'update',
        cause: 'dependent',
      };
      return dependsOn(this.tables, instance, fanOut) ? [order] : [];
    });
    this.order(orders, true);
    return true;
  }

  overview(): ReturnType<LaneKeeper['overview']> {
    const lanes = [...this.#lanes.values()].map((lane) => ({
      ...lane,
      done: lane.doneSeq === lane.orderSeq,
    }));
    return Promise.resolve({ lanes, fanOuts: this.#fanOuts.length });
  }

  #heldBy(worker: string): Lane[] {
    return [...this.#lanes.values()].filter((lane) => lane.worker === worker);
  }

  #free(lane: Lane): void {
    lane.worker = undefined;
    lane.dueAt = this.tables.now;
    lane.lastHash = undefined;
  }
}

/** Whether an instance is concerned by what was written to a solution or target. */
export function dependsOn(
  tables: OtherTables,
  { uid, spec }: StoredObject<'Instance'>,
  fanOut: Pick<FanOut, 'kind' | 'name' | 'uid'> & { properties: readonly Record<string, string>[] },
): boolean {
  if (fanOut.kind === 'Solution') return spec.solution === fanOut.name;
  return selects(spec, fanOut) || tables.ledgerOf(uid).some((entry) => entry.targetUid === fanOut.uid);
}

function selects(
  { target }: InstanceSpec,
  { name, properties: sets }: { name: string; properties: readonly Record<string, string>[] },
): boolean {
  if (target?.name === name) return true;
  return sets.some(
    (properties) =>
      matchTargets(target, [{ name, spec: { properties }, deleting: false }]).matched.length > 0,
  );
}

function fenceOf(lane: Lane): Fence {
  return { laneId: lane.id, epoch: lane.epoch };
}
