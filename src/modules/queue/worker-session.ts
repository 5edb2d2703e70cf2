import { messageOf } from '@symphony/model';
import { LeaseLostError } from './errors.js';
import { abortGraceMs, type JobManagerOptions } from './job-manager-options.js';
import type { Heartbeat, JobStore } from './job-store.js';
import type { Claim, Fence } from './lanes.js';
import { Latch } from './latch.js';
import type { RunWaits } from './run-waits.js';

/** A run under way. */
export interface ActiveRun {
  claim: Claim;
  /** Milliseconds of the process's monotonic clock. */
  startedAt: number;
  stop: AbortController;
  superseded: AbortController;
  waits: RunWaits;
  /** The work is done, and only its outcome is still being written. */
  ended: boolean;
  /** Settles when the run is over and its outcome is written or given up. Never rejects. */
  settled: Promise<void>;
}

export interface SessionEvents {
  onHeartbeat(heartbeat: Heartbeat): void;
  onLost(runs: number): void;
  log: NonNullable<JobManagerOptions['log']>;
}

/** Two early renewals are at least this far apart, however many hints ask for one. */
const MIN_RENEWAL_GAP_MS = 100;

/**
 * One registration of this process as a worker, and the runs under it. When its lease cannot be renewed in time all its
 * runs are stopped, and it never serves again: the process registers anew under another id.
 *
 * Time is this process's monotonic clock, counted from before each renewal was sent, so that the lease seems to end here
 * before it ends in the store.
 */
export class WorkerSession {
  readonly runs = new Map<string, ActiveRun>();
  readonly #lost = new AbortController();
  readonly #closed = new AbortController();
  readonly #renewal = new Latch();
  #renewedAt = 0;
  #watch: NodeJS.Timeout | undefined;
  #keeping: Promise<void> = Promise.resolve();

  private constructor(
    private readonly store: JobStore,
    readonly id: string,
    private readonly leaseMs: number,
    private readonly events: SessionEvents,
  ) {}

  /** Registers; rejects when the store does not answer. */
  static async open(
    store: JobStore,
    id: string,
    leaseMs: number,
    events: SessionEvents,
  ): Promise<WorkerSession> {
    const session = new WorkerSession(store, id, leaseMs, events);
    session.#renewedAt = performance.now();
    await store.register(id, leaseMs);
    session.#watchClock();
    session.#keeping = session.#keepAlive();
    return session;
  }

  /** Aborted once the lease is not sure any more. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether runs may begin; also looks at the clock, since timers are late after a stall. */
  isLive(): boolean {
    if (performance.now() >= this.#abortAt) this.#lose('its lease could not be renewed in time');
    return !this.#lost.signal.aborted;
  }

  /** Whether another worker may have taken the lanes over by now. */
  isTakenOver(): boolean {
    return performance.now() >= this.#renewedAt + this.leaseMs + abortGraceMs(this.leaseMs);
  }

  /** Learns soon what another process ordered for a lane that runs here. */
  renewSoon(): void {
    if (this.runs.size > 0) this.#renewal.open();
  }

  /** Tells the run of a lane that a newer order waits. */
  supersede(fences: readonly Fence[]): void {
    for (const fence of fences) {
      const run = this.runs.get(fence.laneId);
      if (run?.claim.fence.epoch === fence.epoch) run.superseded.abort();
    }
  }

  stopRuns(reason: Error): void {
    for (const run of this.runs.values()) run.stop.abort(reason);
  }

  /** Ends the renewals. The lanes are freed by `retire`, or when the lease ends. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#closed.abort();
    await this.#keeping;
  }

  /** A third of the lease, of which the gap after the renewal before is a part. */
  get #intervalMs(): number {
    return Math.max(0, this.leaseMs / 3 - MIN_RENEWAL_GAP_MS);
  }

  get #abortAt(): number {
    return this.#renewedAt + (this.leaseMs * 2) / 3;
  }

  #lose(why: string): void {
    if (this.#lost.signal.aborted) return;
    this.events.log.warn({
      msg: `This worker stops its runs: ${why}`,
      worker: this.id,
      runs: this.runs.size,
    });
    this.events.onLost(this.runs.size);
    this.#lost.abort(new LeaseLostError());
    this.stopRuns(new LeaseLostError());
    clearInterval(this.#watch);
  }

  /** Sees the end of the lease while a renewal hangs, and after the event loop or the whole process stood still. */
  #watchClock(): void {
    const periodMs = this.leaseMs / 20;
    let last = performance.now();
    this.#watch = setInterval(() => {
      const now = performance.now();
      const late = now - last - periodMs;
      last = now;
      if (late > this.leaseMs / 3) {
        this.events.log.warn({
          msg: 'The event loop stood still',
          milliseconds: Math.round(late),
          worker: this.id,
        });
      }
      this.isLive();
    }, periodMs);
    this.#watch.unref();
  }

  async #keepAlive(): Promise<void> {
    const over = AbortSignal.any([this.#lost.signal, this.#closed.signal]);
    let waitMs = this.#intervalMs;
    while (!over.aborted) {
      await this.#renewal.wait(waitMs, over);
      if (over.aborted) return;
      const began = performance.now();
      try {
        const heartbeat = await this.store.heartbeat(this.id, this.leaseMs);
        if (!this.isLive()) return;
        this.#renewedAt = began;
        waitMs = this.#intervalMs;
        this.events.onHeartbeat(heartbeat);
        await new Latch().wait(MIN_RENEWAL_GAP_MS, over);
      } catch (error) {
        if (error instanceof LeaseLostError) return this.#lose('its lease has ended');
        this.events.log.debug?.({ msg: 'The lease was not renewed, trying again', error: messageOf(error) });
        waitMs = this.leaseMs / 20;
      }
    }
  }
}
