import {
  FencedError,
  JobStore,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type Fence,
  type Heartbeat,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type LaneQuery,
  type LaneView,
  type RunOutcome,
  type WakeHint,
} from '../../../../modules/queue/index.js';
import type { Database } from '../../database/database.js';
import { LaneClaims } from './claims.js';
import { Completion, type CompletionOptions, type OutcomeWriter } from './completion.js';
import { expandFanOuts } from './fan-outs.js';
import { orderInlineLane } from './inline-payloads.js';
import { orderUnlocked, suspendLane } from './orders.js';
import { findLane, isLaneDone, listLanes, nextDueMs } from './views.js';
import type { PostgresWakeups } from './wakeups.js';
import { Workers, type WorkerObserver } from './workers.js';

export interface PostgresJobStoreOptions extends CompletionOptions {
  /** A small pool for the workers' leases, so that no traffic of requests and runs delays a renewal. */
  leases?: Database;
  /** Told which worker this process is. */
  observer?: WorkerObserver;
}

/** The lanes in PostgreSQL. Every method is one statement or one transaction. */
export class PostgresJobStore extends JobStore {
  readonly #claims: LaneClaims;
  readonly #completion: Completion;
  readonly #workers: Workers;

  /** @param write stores what an outcome leaves behind, in the transaction that frees the lane */
  constructor(
    private readonly database: Database,
    write: OutcomeWriter,
    private readonly wakeups: Pick<PostgresWakeups, 'wake' | 'onWake' | 'finished'>,
    options: PostgresJobStoreOptions = {},
  ) {
    super();
    this.#claims = new LaneClaims(database);
    this.#completion = new Completion(database, write, options);
    this.#workers = new Workers(options.leases ?? database, options.observer, options.backoff);
  }

  override async order(orders: readonly LaneOrder[]): Promise<void> {
    const lanes = await this.database.transaction((tx) => orderUnlocked(tx, orders));
    this.wakeups.wake({ lanes, fanOuts: false });
  }

  override async orderInline(order: LaneOrder & { payload: InlinePayload }): Promise<string> {
    const lane = await this.database.transaction((tx) => orderInlineLane(tx, order));
    this.wakeups.wake({ lanes: [lane], fanOuts: false });
    return lane.seq;
  }

  override async suspend(key: LaneKey, suspended: boolean): Promise<boolean> {
    const found = await suspendLane(this.database, key, suspended);
    // Nothing was ordered: a run under way goes on.
    if (found && !suspended) this.wakeups.wake({ lanes: [], fanOuts: false });
    return found;
  }

  override register(worker: string, leaseMs: number): Promise<void> {
    return this.#workers.register(worker, leaseMs);
  }

  override claim(request: ClaimRequest): Promise<Claim[]> {
    return this.#claims.claim(request);
  }

  override heartbeat(worker: string, leaseMs: number): Promise<Heartbeat> {
    return this.#workers.heartbeat(worker, leaseMs);
  }

  override async release(worker: string, fences: readonly Fence[]): Promise<void> {
    await this.#workers.release(worker, fences);
    this.wakeups.wake({ lanes: [], fanOuts: false });
  }

  override async complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    try {
      const result = await this.#completion.complete(claim, outcome);
      if (claim.payload && !result.fenced) this.wakeups.finished();
      return result;
    } catch (error) {
      if (error instanceof FencedError) return { fenced: true, again: false };
      throw error;
    }
  }

  override takeOver(graceMs: number, before?: () => Promise<void>): Promise<number> {
    return this.#workers.takeOver(graceMs, before);
  }

  override retireOthers(worker: string): Promise<number> {
    return this.#workers.retireOthers(worker);
  }

  override async retire(worker: string): Promise<void> {
    const freed = await this.#workers.retire(worker);
    if (freed > 0) this.wakeups.wake({ lanes: [], fanOuts: false });
  }

  override nextDueMs(capMs: number, periodic = true): Promise<number> {
    return nextDueMs(this.database, capMs, periodic);
  }

  override find(key: LaneKey): Promise<LaneView | undefined> {
    return findLane(this.database, key);
  }

  override list(query: LaneQuery): Promise<{ items: LaneView[]; next?: string }> {
    return listLanes(this.database, query);
  }

  override isDone(key: LaneKey, seq: string): Promise<boolean> {
    return isLaneDone(this.database, key, seq);
  }

  override expandFanOuts(pageSize: number): Promise<boolean> {
    return expandFanOuts(this.database, pageSize).then((expanded) => {
      if (expanded) this.wakeups.wake({ lanes: [], fanOuts: false });
      return expanded;
    });
  }

  override onWake(listener: (hint: WakeHint) => void): () => void {
    return this.wakeups.onWake(listener);
  }
}
