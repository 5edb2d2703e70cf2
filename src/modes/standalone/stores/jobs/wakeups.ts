import { messageOf } from '@symphony/model';
import { Client, type ClientConfig, type Notification } from 'pg';
import { JobWaker, type WakeHint } from '../../../../modules/queue/index.js';

/** One channel and a constant payload per concern: NOTIFY then folds repetitions inside a transaction by itself. */
const CHANNEL = 'symphony_jobs';
const LANES = 'lanes';
const FAN_OUTS = 'fan_outs';
const FINISHED = 'finished';
const SLOTS = 'slots';

export interface WakeupsOptions {
  /** Where to connect; a connection of its own, never one of the pool and never through a transaction pooler. */
  connection: ClientConfig;
  /** Orders within this time share one NOTIFY: it takes a lock of the whole server at commit. */
  coalesceMs?: number;
  /** How often the connection is asked for a sign of life. A connection whose peer is gone without a word tells nothing. */
  checkMs?: number;
  onProblem?: (message: string) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const CHECK_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;

const NOTHING_KNOWN: WakeHint = { lanes: [], fanOuts: true };

/** Wakes the workers of this process at once and those of other processes by NOTIFY. */
export class PostgresWakeups extends JobWaker {
  readonly #listeners = new Set<(hint: WakeHint) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #slotListeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #pending = new Set<string>();
  #client: Client | undefined;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: WakeupsOptions) {
    super();
  }

  /** Connects in the background and stays connected; without it only this process is woken. */
  start(): void {
    this.#running ??= this.#stayConnected();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  override wake(hint: WakeHint): void {
    this.#tell(hint);
    this.#notify(LANES);
    if (hint.fanOuts) this.#notify(FAN_OUTS);
  }

  /** Tells whoever waits for a posted deployment, in this process and in others. */
  finished(): void {
    this.#releaseWaiting();
    this.#notify(FINISHED);
  }

  override nextFinished(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  /** Tells other replicas that slots of targets that they want became free, or that they are not alone any more. */
  tellSlots(): void {
    this.#notify(SLOTS);
  }

  /** @param listener called when another replica told of slots, or may have */
  onSlots(listener: () => void): () => void {
    this.#slotListeners.add(listener);
    return () => this.#slotListeners.delete(listener);
  }

  onWake(listener: (hint: WakeHint) => void): () => void {
    // A function of its own, so that the same listener may be given twice.
    const entry = (hint: WakeHint): void => listener(hint);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  #releaseWaiting(): void {
    for (const done of this.#waiting) done();
  }

  #lookForSlots(): void {
    for (const listener of this.#slotListeners) listener();
  }

  #notify(payload: string): void {
    this.#pending.add(payload);
    if (!this.#stop.signal.aborted) {
      this.#timer ??= setTimeout(() => this.#send(), this.options.coalesceMs ?? 3);
    }
  }

  #tell(hint: WakeHint): void {
    for (const listener of this.#listeners) {
      try {
        listener(hint);
      } catch (error) {
        this.options.onProblem?.(`a listener of wake-ups failed: ${messageOf(error)}`);
      }
    }
  }

  #send(): void {
    this.#timer = undefined;
    const client = this.#client;
    // While disconnected it stays pending: it is sent after the reconnect, and others poll meanwhile.
    if (!client) return;
    void this.#inTurn(async () => {
      if (client !== this.#client || this.#pending.size === 0) return;
      const payloads = [...this.#pending];
      this.#pending.clear();
      await client
        .query(`SELECT pg_notify('${CHANNEL}', p) FROM unnest($1::text[]) AS p`, [payloads])
        .catch(() => payloads.forEach((payload) => this.#pending.add(payload)));
    });
  }

  /** One statement at a time: the driver will not queue them for ever. A failure is the caller's alone. */
  #inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #stayConnected(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#session(() => (retryMs = FIRST_RETRY_MS));
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.options.onProblem?.(
          `wake-ups between replicas are down, polling meanwhile: ${messageOf(error)}`,
        );
        await delay(retryMs * (0.5 + Math.random() / 2), this.#stop.signal);
        retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
      }
    }
  }

  /** One connection, until it breaks or we stop. */
  async #session(onReady: () => void): Promise<void> {
    const client = new Client({
      ...this.options.connection,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: CHECK_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    const broken = new AbortController();
    client.on('error', (error) => broken.abort(error));
    client.on('end', () => broken.abort(new Error('the connection ended')));
    client.on('notification', (message) => this.#notified(client, message));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.#client = client;
      this.#turn = Promise.resolve();
      onReady();
      // Whatever was notified while nobody listened is made up for by looking everywhere once.
      this.#tell(NOTHING_KNOWN);
      this.#releaseWaiting();
      this.#lookForSlots();
      this.#send();
      const until = AbortSignal.any([broken.signal, this.#stop.signal]);
      while (!until.aborted) {
        await delay(this.options.checkMs ?? 15_000, until);
        if (!until.aborted) await this.#inTurn(() => client.query('SELECT 1'));
      }
      if (!this.#stop.signal.aborted) throw broken.signal.reason;
    } finally {
      this.#client = undefined;
      // Not awaited: a peer that is gone would let it wait for ever.
      client.end().catch(() => undefined);
    }
  }

  #notified(client: Client, message: Notification): void {
    // Our own orders woke this process before they were notified.
    const own = (client as Client & { processID?: number | null }).processID;
    if (message.processId === own) return;
    if (message.payload === FINISHED) return this.#releaseWaiting();
    if (message.payload === SLOTS) return this.#lookForSlots();
    this.#tell({ lanes: [], fanOuts: message.payload === FAN_OUTS });
  }
}

/** Resolves after the time, or at once when the signal aborts. */
function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
