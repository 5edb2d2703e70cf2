import { SharedSlots, type SlotRequest } from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';
import { Gather } from '../jobs/gather.js';
import type { PostgresWakeups } from '../jobs/wakeups.js';
import type { WorkerObserver } from '../jobs/workers.js';
import { BE_ALONE, BRING_IN, FREE, LOCK_WORKERS, OTHERS, SHARE, TAKE, WANT } from './slot-statements.js';

/** Covers a wake-up that got lost, and slots that went with their worker. */
const LOOK_EVERY_MS = 1_000;
/** A slot that was free when it was looked at, and could not be had: another was quicker, or must not be overtaken yet. */
const AGAIN_MS = 25;
/** After freeing a slot that others wait for this process lets them go first. */
const AFTER_YOU_MS = 30;
const FREE_RETRY_MS = 500;
/** A row of ours that no call here knows is the rest of an answer that got lost; younger ones may be on their way. */
const STRAY_AFTER_MS = 5_000;

/** A call of this process. */
interface Call {
  id: number;
  targetUid: string;
  limit: number;
  /** Who holds its row; undefined: it has none, because this process was alone. */
  worker: string | undefined;
}

interface Holder {
  target_uid: string;
  worker: string;
  call: string;
  age_ms: number;
}

/**
 * Slots as rows that belong to a worker and go with it: a dead worker's slots are free when its lanes are. A process that is
 * the only worker writes none of them and pays nothing; the table of workers says who believes to be alone, and nobody else
 * takes a slot until it has brought its calls into the table (docs/adr/0010).
 */
export class PostgresTargetSlots extends SharedSlots implements WorkerObserver {
  readonly #takes = new Gather((calls: readonly Call[]) => this.#takeMany(calls));
  readonly #wants = new Gather((uids: readonly string[]) => this.#wantMany(uids));
  readonly #frees = new Gather((calls: readonly Call[]) => this.#freeMany(calls));
  readonly #calls = new Map<number, Call>();
  readonly #waiting = new Set<() => void>();
  /** Until when calls to a target let those of others go first. */
  readonly #polite = new Map<string, number>();
  #lastId = 0;
  #worker: string | undefined;
  /** No other worker takes slots: ours need no rows. */
  #alone = false;
  /** What the table of workers says of us. */
  #said: 'alone' | 'shares' = 'shares';
  #settling: Promise<void> | undefined;
  #stopped = false;

  constructor(
    private readonly database: Database,
    private readonly wakeups: Pick<PostgresWakeups, 'tellSlots' | 'onSlots'>,
    private readonly lookEveryMs = LOOK_EVERY_MS,
  ) {
    super();
    wakeups.onSlots(() => {
      this.#look();
      void this.#lookForOthers();
    });
  }

  /** Nothing is freed or waited for any more: the worker's end frees all. */
  stop(): void {
    this.#stopped = true;
    this.#look();
  }

  registered(worker: string, alone: boolean): void {
    this.#worker = worker;
    this.#alone = alone;
    this.#said = alone ? 'alone' : 'shares';
    this.#look();
    // Who believed to be alone is not any more.
    if (!alone) this.wakeups.tellSlots();
  }

  renewed(worker: string, alone: boolean): void {
    if (worker !== this.#worker || this.#settling || (alone ? 'alone' : 'shares') === this.#said) return;
    this.#settling = (alone ? this.#beAlone(worker) : this.#share(worker))
      // The next heartbeat tries again.
      .catch(() => undefined)
      .finally(() => (this.#settling = undefined));
  }

  override async take(request: SlotRequest): Promise<(() => void) | undefined> {
    const { targetUid, limit, signals, waitMs, slowMs } = request;
    const call: Call = { id: ++this.#lastId, targetUid, limit, worker: undefined };
    const deadline = performance.now() + waitMs;
    for (let again = AGAIN_MS; ; again *= 2) {
      if (this.#alone) return this.#held(call);
      await this.#letOthersGoFirst(targetUid);
      // What is told while the store is asked counts.
      const told = this.#listen(signals);
      try {
        if (await this.#takes.add(call)) return this.#held(call);
        const holders = await this.#wants.add(targetUid);
        const inVain = holders.length >= limit && holders.every((holder) => holder.age_ms > slowMs);
        const leftMs = deadline - performance.now();
        if (inVain || leftMs <= 0 || this.#stopped || signals.some((signal) => signal.aborted))
          return undefined;
        const isFull = holders.length >= limit;
        await told.within(Math.min(leftMs, this.lookEveryMs, isFull ? this.lookEveryMs : again));
      } finally {
        told.end();
      }
    }
  }

  #held(call: Call): () => void {
    this.#calls.set(call.id, call);
    return () => {
      if (!this.#calls.delete(call.id)) return;
      if (call.worker !== undefined) void this.#free(call);
      this.#look();
    };
  }

  async #takeMany(calls: readonly Call[]): Promise<boolean[]> {
    const worker = this.#worker;
    if (worker === undefined) return calls.map(() => false);
    try {
      const taken = await this.#insert(TAKE, worker, calls);
      return calls.map((call) => {
        if (!taken.has(call.id)) return false;
        call.worker = worker;
        return true;
      });
    } catch (error) {
      // It may have been done all the same.
      for (const call of calls) void this.#free({ ...call, worker });
      throw error;
    }
  }

  async #insert(statement: typeof TAKE, worker: string, calls: readonly Call[]): Promise<Set<number>> {
    const perTarget = new Map<string, number>();
    const rows = calls.map(({ id, targetUid, limit }) => {
      const nth = perTarget.get(targetUid) ?? 0;
      perTarget.set(targetUid, nth + 1);
      return { target_uid: targetUid, bound: limit, nth, call: id };
    });
    const taken = await this.database.query<{ call: string }>(statement, [worker, JSON.stringify(rows)]);
    return new Set(taken.map((row) => Number(row.call)));
  }

  async #wantMany(uids: readonly string[]): Promise<Holder[][]> {
    // A transaction is repeated when it collides with the removal of a dead worker.
    const holders = await this.database.transaction((tx) => tx.query<Holder>(WANT, [[...new Set(uids)]]));
    for (const holder of holders) {
      const ours = holder.worker === this.#worker && !this.#calls.has(Number(holder.call));
      if (ours && holder.age_ms > STRAY_AFTER_MS) void this.#free(strayOf(holder));
    }
    return uids.map((uid) => holders.filter((holder) => holder.target_uid === uid));
  }

  /** Tries until it is done, or the worker is gone and all of its slots with it. */
  async #free(call: Call): Promise<void> {
    while (!this.#stopped && call.worker === this.#worker) {
      try {
        await this.#frees.add(call);
        return;
      } catch {
        await pause(FREE_RETRY_MS);
      }
    }
  }

  async #freeMany(calls: readonly Call[]): Promise<boolean[]> {
    const freed = await this.database.query<{ target_uid: string; wanted: boolean }>(FREE, [
      calls.map((call) => call.worker),
      calls.map((call) => call.id),
    ]);
    const wanted = freed.filter((row) => row.wanted);
    for (const row of wanted) this.#polite.set(row.target_uid, performance.now() + AFTER_YOU_MS);
    if (wanted.length > 0) {
      this.wakeups.tellSlots();
      this.#look();
    }
    return calls.map(() => true);
  }

  async #letOthersGoFirst(targetUid: string): Promise<void> {
    const until = this.#polite.get(targetUid);
    if (until === undefined) return;
    const ms = until - performance.now();
    if (ms > 0) await pause(ms);
    this.#polite.delete(targetUid);
  }

  async #beAlone(worker: string): Promise<void> {
    const [row] = await this.database.transaction(async (tx) => {
      await tx.query(LOCK_WORKERS);
      return tx.query(BE_ALONE, [worker]);
    });
    if (!row || worker !== this.#worker) return;
    this.#said = 'alone';
    this.#alone = true;
    this.#look();
  }

  /** Calls from now on go through the table; those under way are brought in before the others hear that they may. */
  async #share(worker: string): Promise<void> {
    this.#alone = false;
    const missing = [...this.#calls.values()].filter((call) => call.worker === undefined);
    const brought = missing.length > 0 ? await this.#insert(BRING_IN, worker, missing) : new Set<number>();
    for (const call of missing) {
      if (!brought.has(call.id)) continue;
      call.worker = worker;
      // It ended meanwhile.
      if (!this.#calls.has(call.id)) void this.#free(call);
    }
    if (missing.some((call) => call.worker === undefined && this.#calls.has(call.id))) return;
    await this.database.query(SHARE, [worker]);
    this.#said = 'shares';
    this.wakeups.tellSlots();
  }

  /** Somebody told of slots: perhaps because this process is not alone any more. */
  async #lookForOthers(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || this.#said !== 'alone') return;
    // A look that fails is made up for by the next heartbeat.
    const others = await this.database.query(OTHERS, [worker]).catch(() => []);
    if (others.length > 0) this.renewed(worker, false);
  }

  #look(): void {
    for (const wake of this.#waiting) wake();
  }

  #listen(signals: readonly AbortSignal[]): { within(ms: number): Promise<void>; end(): void } {
    let tell = (): void => undefined;
    const told = new Promise<void>((resolve) => (tell = resolve));
    const wake = (): void => tell();
    this.#waiting.add(wake);
    for (const signal of signals) signal.addEventListener('abort', wake);
    let timer: NodeJS.Timeout | undefined;
    return {
      within: (ms) => {
        timer = setTimeout(wake, ms);
        return told;
      },
      end: () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        for (const signal of signals) signal.removeEventListener('abort', wake);
      },
    };
  }
}

function strayOf({ call, target_uid, worker }: Holder): Call {
  return { id: Number(call), targetUid: target_uid, limit: 0, worker };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
