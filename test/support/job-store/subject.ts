import type { ReasonCode } from '@symphony/model';
import type {
  Claim,
  FanOut,
  Fence,
  JobStore,
  JobWaker,
  LaneKey,
  LaneOrder,
  RunOutcome,
} from '../../../src/modules/queue/index.js';

/** What the suite needs of an adapter. */
export interface JobStoreSubject {
  store: JobStore;
  waker: JobWaker;
  /** Stores objects, and orders nothing. Some may be there already. */
  exist(keys: readonly LaneKey[]): Promise<void>;
  /** Removes the record of an object; its lane stays. */
  vanish(key: LaneKey): Promise<void>;
  /** Stores instances that name a solution, and orders nothing. */
  dependOn(solution: LaneName, instances: readonly { name: string; generation: number }[]): Promise<void>;
  /** Asks for a fan-out, as the write of an object does. */
  fanOut(fanOut: FanOut): Promise<void>;
  /** The store's time goes on, for due times and leases. */
  pass(ms: number): Promise<void>;
  /** As everything asks that writes for a run. @throws FencedError */
  assertFence(fence: Fence): Promise<void>;
  /** Stands for what an outcome leaves behind beside its lane. */
  writer: OutcomeRecorder;
}

interface LaneName {
  namespace: string;
  name: string;
}

/** An outcome writer that remembers; the test decides what becomes of the next write. */
export class OutcomeRecorder {
  /** Names of the objects whose outcome was written, in that order. */
  readonly written: string[] = [];
  /** Awaited by each write before it succeeds. */
  before: () => Promise<void> = () => Promise.resolve();

  async write(claim: Claim): Promise<void> {
    await this.before();
    this.written.push(claim.name);
  }
}

export type PartialOrder = Partial<LaneOrder> & { name: string };

export function orderOf(order: PartialOrder): LaneOrder {
  return {
    kind: 'Instance',
    namespace: 'default',
    generation: 1,
    action: 'update',
    cause: 'person',
    ...order,
  };
}

export function keyOf(name: string, namespace = 'default'): LaneKey {
  return { kind: 'Instance', namespace, name };
}

export function outcomeOf(outcome: Partial<RunOutcome> = {}, code: ReasonCode = 'Succeeded'): RunOutcome {
  return { result: 'succeeded', reason: { code, message: code }, ...outcome };
}

/** An outcome that leaves something behind beside its lane. */
export function recordedOutcome(outcome: Partial<RunOutcome> = {}, code?: ReasonCode): RunOutcome {
  const summary = { key: 'k', generation: '1', deploymentHash: '', summary: {} as never };
  return outcomeOf({ summary, ...outcome }, code);
}

export const HOUR_MS = 3_600_000;
export const WORKER = 'worker-1';

/** A subject with the steps that most tests take. One worker with a long lease is registered. */
export class Bench {
  constructor(readonly subject: JobStoreSubject) {}

  get store(): JobStore {
    return this.subject.store;
  }

  /** Orders objects, which exist. */
  async order(...orders: PartialOrder[]): Promise<void> {
    const complete = orders.map(orderOf);
    await this.subject.exist(complete);
    await this.store.order(complete);
  }

  post(name: string, jobId: string, order: Partial<LaneOrder> = {}, deployment: unknown = { name }) {
    return this.store.orderInline({
      ...orderOf({ name, ...order }),
      payload: { deployment, jobId, ...order.payload },
    });
  }

  claim(limit = 10, worker = WORKER): Promise<Claim[]> {
    return this.store.claim({ worker, limit, periodic: true });
  }

  /** The only lane that is due. */
  async claimOne(worker = WORKER): Promise<Claim> {
    const [claim, ...others] = await this.claim(10, worker);
    if (!claim || others.length > 0) throw new Error(`${others.length + (claim ? 1 : 0)} lanes were claimed`);
    return claim;
  }

  /** Orders, claims and ends a run of one lane. */
  async run(name: string, outcome = outcomeOf()): Promise<Claim> {
    await this.order({ name });
    const claim = await this.claimOne();
    await this.store.complete(claim, outcome);
    return claim;
  }

  /** Milliseconds until the lane is due, by the wall clock. */
  async dueInMs(name: string): Promise<number> {
    const view = await this.store.find(keyOf(name));
    return view?.dueAt === undefined ? Number.NaN : Date.parse(view.dueAt) - Date.now();
  }
}
