import { randomBytes } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { messageOf, UnavailableError } from '@symphony/model';
import { Events } from '../events/index.js';
import { FanOutExpander } from './fan-out-expander.js';
import { abortGraceMs, JOB_MANAGER_OPTIONS, type JobManagerOptions } from './job-manager-options.js';
import { JobStore, type ClaimRequest } from './job-store.js';
import type { WakeHint } from './job-waker.js';
import type { Claim, Fence } from './lanes.js';
import { Latch, pause } from './latch.js';
import { RunExecutor } from './run-executor.js';
import { RunHandler } from './run-handler.js';
import { TokenBucket } from './token-bucket.js';
import { WorkerSession } from './worker-session.js';

/** Due lanes that nobody could claim are locked by a transaction that is about to end. */
const MIN_WAIT_MS = 20;
const FIRST_RETRY_MS = 100;
/** After this long also a run that does not say that it waits gives its slot away, until so many share one. */
const SLOW_RUN_MS = 2_000;
const SLOW_PER_SLOT = 4;
/** Runs that wait cost memory only, less than 100 kB each: with 16 slots, 1,024 targets may hang at once. */
const RUNS_PER_SLOT = 64;
const MAX_RETRY_MS = 5_000;
/** What is stopped or retired at the end of the drain gets this long. */
const LAST_WORDS_MS = 5_000;

/** Claims due lanes as slots are free, runs them, keeps their lease, and drains at the end. Never ends the process. */
@Injectable()
export class JobManager implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log: NonNullable<JobManagerOptions['log']>;
  readonly #executor: RunExecutor;
  readonly #expander: FanOutExpander;
  readonly #periodic: TokenBucket;
  readonly #latch = new Latch();
  readonly #stopping = new AbortController();
  /** Older sessions stay until their runs are over. */
  readonly #sessions = new Set<WorkerSession>();
  #session: WorkerSession | undefined;
  #loop: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #unsubscribe: () => void = () => undefined;
  #sole: boolean;
  #claiming = false;
  /** Of taking over, that were told of. */
  readonly #troubles = new Set<string>();

  constructor(
    private readonly store: JobStore,
    private readonly handler: RunHandler,
    private readonly events: Events,
    @Inject(JOB_MANAGER_OPTIONS) private readonly options: JobManagerOptions,
  ) {
    this.#log = options.log ?? new Logger(JobManager.name);
    this.#executor = new RunExecutor(store, handler, events, this.#log);
    this.#expander = new FanOutExpander(store, options, this.#log);
    this.#periodic = new TokenBucket(options.periodicPerSecond);
    this.#sole = options.sole;
  }

  onApplicationBootstrap(): void {
    this.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  /** Begins to serve; returns at once, also while the store cannot be reached. */
  start(): void {
    if (this.#loop) return;
    this.#unsubscribe = this.store.onWake((hint) => this.#woken(hint));
    this.#loop = this.#serve();
    this.#expander.start();
  }

  /** Stops claiming, lets runs end for `drainMs`, stops the others, frees the lanes. Bounded; never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drain();
    return this.#stopped;
  }

  /** Runs under way in this process. */
  get running(): number {
    return [...this.#sessions].reduce((sum, session) => sum + session.runs.size, 0);
  }

  #woken(hint: WakeHint): void {
    if (hint.fanOuts) this.#expander.wake();
    if (hint.lanes.length > 0) this.events.emit('lane.ordered', { lanes: hint.lanes });
    for (const session of this.#sessions) {
      if (hint.lanes.length === 0) session.renewSoon();
      else supersedeOrdered(session, hint);
    }
    this.#latch.open();
  }

  async #serve(): Promise<void> {
    const stopping = this.#stopping.signal;
    let retryMs = FIRST_RETRY_MS;
    while (!stopping.aborted) {
      try {
        const waitMs = await this.#serveOnce();
        retryMs = FIRST_RETRY_MS;
        if (waitMs > 0) await this.#latch.wait(waitMs, stopping);
      } catch (error) {
        if (retryMs === FIRST_RETRY_MS) {
          this.#log.warn({ msg: 'No lanes can be claimed at the moment, trying again' }, error);
        }
        await pause(retryMs, stopping);
        retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
      }
    }
  }

  /** Claims once. @returns how long to wait before the next look, in milliseconds */
  async #serveOnce(): Promise<number> {
    const session = await this.#liveSession();
    const free = this.#freeSlots(session);
    if (free <= 0) return this.#untilSlow(session);
    const periodicWaitMs = this.#periodic.waitMs();
    const periodic = periodicWaitMs === 0;
    const claims = await this.#claim({ worker: session.id, limit: free, periodic });
    this.#periodic.take(claims.filter((claim) => claim.cause === 'periodic').length);
    // What was claimed while the stop was asked for is freed at the end of the drain.
    if (this.#stopping.signal.aborted) return 0;
    for (const claim of claims) this.#executor.start(session, claim, () => this.#latch.open());
    if (claims.length >= free) return this.#untilSlow(session);
    const dueMs = await this.store.nextDueMs(this.options.pollMs, periodic);
    const waitMs = periodic ? dueMs : Math.min(dueMs, periodicWaitMs);
    return claims.length > 0 ? waitMs : Math.max(waitMs, MIN_WAIT_MS);
  }

  /**
   * What waits holds no slot: else a few targets that hang would hold back every object. What has ended holds none while its
   * outcome is written, so that the next lanes are claimed meanwhile. Bounded all the same.
   */
  #freeSlots({ runs }: WorkerSession): number {
    const { concurrency } = this.options;
    const quickSince = performance.now() - SLOW_RUN_MS;
    const working = [...runs.values()].filter((run) => !run.waits.isLong);
    const quick = working.filter((run) => !run.ended && run.startedAt > quickSince).length;
    return Math.min(
      concurrency - quick,
      concurrency * SLOW_PER_SLOT - working.length,
      concurrency * RUNS_PER_SLOT - runs.size,
    );
  }

  /** Milliseconds until a run of those that hold a slot counts as slow. */
  #untilSlow({ runs }: WorkerSession): number {
    const now = performance.now();
    const waits = [...runs.values()].map((run) => run.startedAt + SLOW_RUN_MS - now).filter((ms) => ms > 0);
    return Math.min(this.options.pollMs, ...waits.map((ms) => Math.max(ms, MIN_WAIT_MS)));
  }

  async #claim(request: ClaimRequest): Promise<Claim[]> {
    this.#claiming = true;
    try {
      return await this.store.claim(request);
    } finally {
      this.#claiming = false;
    }
  }

  async #liveSession(): Promise<WorkerSession> {
    if (this.#session?.isLive()) return this.#session;
    if (this.#session) void this.#retireWhenOver(this.#session);
    this.#session = undefined;
    const session = await this.#openSession();
    this.#session = session;
    this.#sessions.add(session);
    return session;
  }

  async #openSession(): Promise<WorkerSession> {
    const id = `${this.options.worker}-${process.pid}-${randomBytes(6).toString('hex')}`;
    if (this.#sole) {
      await this.store.retireOthers(id);
      this.#sole = false;
    }
    const session = await WorkerSession.open(this.store, id, this.options.leaseMs, {
      log: this.#log,
      onLost: (runs) => this.events.emit('lease.lost', { runs }),
      onHeartbeat: (heartbeat) => {
        session.supersede(heartbeat.superseded);
        void this.#releaseForgotten(session, heartbeat.held);
        void this.#takeOver();
      },
    });
    await this.#takeOver();
    return session;
  }

  /**
   * A claim whose answer was lost with its connection left lanes in our name that nobody runs. While no claim is under
   * way, a lane that we hold is either in `runs` or such a one (or just completed, which makes this do nothing).
   */
  async #releaseForgotten(session: WorkerSession, held: readonly Fence[]): Promise<void> {
    if (this.#claiming) return;
    const forgotten = held.filter(
      (fence) => session.runs.get(fence.laneId)?.claim.fence.epoch !== fence.epoch,
    );
    if (forgotten.length === 0) return;
    await this.store.release(session.id, forgotten).catch(() => undefined);
  }

  async #takeOver(): Promise<void> {
    try {
      const lanes = await this.store.takeOver(abortGraceMs(this.options.leaseMs), () => this.#endLeftovers());
      this.#troubles.clear();
      if (lanes === 0) return;
      this.events.emit('lanes.takenOver', { lanes });
      this.#log.warn({ msg: 'Lanes of a worker that is gone were taken over', lanes });
      this.#latch.open();
    } catch (error) {
      // The next heartbeat tries again; that the store does not answer is told by whoever needs it.
      if (error instanceof UnavailableError) return;
      this.#warnOnce('The lanes of workers that are gone could not be taken over, trying again', error);
    }
  }

  /**
   * What cannot be ended holds no lane back: whatever the dead run there, a run ends what it finds of its own object, and takes away
   * its permit, before it begins anything.
   */
  async #endLeftovers(): Promise<void> {
    try {
      await this.handler.beforeTakeOver();
    } catch (error) {
      this.#warnOnce('What a worker that is gone left running could not be looked through', error);
    }
  }

  /** Each trouble once, until a take-over has gone well: it is tried again with each heartbeat. */
  #warnOnce(msg: string, error: unknown): void {
    const trouble = `${msg}: ${messageOf(error)}`;
    if (this.#troubles.has(trouble)) return;
    this.#troubles.add(trouble);
    this.#log.warn({ msg }, error);
  }

  /** Frees the lanes of a session whose lease was lost, once nothing of it runs any more. */
  async #retireWhenOver(session: WorkerSession): Promise<void> {
    await session.close();
    await Promise.all([...session.runs.values()].map((run) => run.settled));
    this.#sessions.delete(session);
    await this.store.retire(session.id).catch(() => undefined);
  }

  async #drain(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe();
    await within(LAST_WORDS_MS, Promise.all([this.#loop, this.#expander.stop()]));
    await within(this.options.drainMs, this.#allSettled());
    if (this.running > 0) {
      this.#log.warn({ msg: 'Runs are stopped because the engine stops', runs: this.running });
      for (const session of this.#sessions) session.stopRuns(new Error('the engine stops'));
      await within(LAST_WORDS_MS, this.#allSettled());
    }
    // A run that does not end keeps its lease until it passes, so that nobody begins beside it.
    const over = [...this.#sessions].filter((session) => session.runs.size === 0);
    await within(LAST_WORDS_MS, Promise.allSettled(over.map((session) => this.store.retire(session.id))));
    await within(LAST_WORDS_MS, Promise.all([...this.#sessions].map((session) => session.close())));
  }

  async #allSettled(): Promise<void> {
    const runs = [...this.#sessions].flatMap((session) => [...session.runs.values()]);
    await Promise.all(runs.map((run) => run.settled));
  }
}

/**
 * A newer order that came in through this process is known at once. The one that the run covers may be told late: its lane was
 * claimed before the acknowledgement of its commit was here.
 */
function supersedeOrdered(session: WorkerSession, hint: WakeHint): void {
  if (session.runs.size === 0) return;
  const ordered = new Map(hint.lanes.map((lane) => [keyText(lane), lane.seq]));
  const runs = [...session.runs.values()].filter(({ claim }) => ordered.has(keyText(claim)));
  const newer = runs.filter(({ claim }) => BigInt(ordered.get(keyText(claim)) ?? 0) > BigInt(claim.seq));
  session.supersede(newer.map(({ claim }) => claim.fence));
  if (runs.some(({ claim }) => ordered.get(keyText(claim)) === undefined)) session.renewSoon();
}

function keyText({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return JSON.stringify([kind, namespace, name]);
}

/** Waits for the work, but no longer than that. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work.catch(() => undefined), pause(ms, over.signal)]);
  over.abort();
}
