import type {
  Claim,
  ClaimRequest,
  CompleteResult,
  FanOut,
  Fence,
  Heartbeat,
  LaneKey,
  LaneOrder,
  RunOutcome,
} from '../../src/modules/queue/index.js';

/** At once, or before the next thing happens. */
export type Soon<T> = T | Promise<T>;

/** What a simulation keeps its lanes in. Every method is one transaction. */
export interface LaneKeeper {
  /** @param unlocked the objects were read without a lock: what is gone meanwhile gets no lane */
  order(orders: readonly LaneOrder[], unlocked: boolean): Soon<void>;
  insertFanOuts(fanOuts: readonly FanOut[]): void;
  expandFanOuts(): Soon<boolean>;
  register(worker: string, leaseMs: number): Soon<void>;
  claim(request: ClaimRequest): Soon<Claim[]>;
  heartbeat(worker: string, leaseMs: number): Soon<Heartbeat>;
  release(worker: string, fences: readonly Fence[]): Soon<void>;
  takeOver(graceMs: number): Soon<number>;
  /** @returns how many lanes were freed, or more */
  retire(worker: string): Soon<number>;
  /** @param write stores what the outcome leaves behind; the fence holds when it is called */
  complete(claim: Claim, outcome: RunOutcome, write: () => void): Soon<CompleteResult>;
  nextDueMs(capMs: number, periodic: boolean): Soon<number>;
  /** Whether a run may write. */
  holds(fence: Fence): boolean;
  /** Whether nobody else can have begun in a run's place: what it asked for may still arrive at a target. */
  mayAct(fence: Fence): boolean;
  /** @throws FencedError */
  assertFence(fence: Fence): void;
  /** All lanes, and whether their newest order has run; fan-outs that wait. */
  overview(): Promise<{ lanes: (LaneKey & { done: boolean })[]; fanOuts: number }>;
}
