import { AccessError, messageOf, UnavailableError } from '@symphony/model';
import {
  ApiUnavailableError,
  apiStatusOf,
  backoffMs,
  compareVersions,
  ExpiredError,
  listAll,
  pause,
  type ApiClient,
  type KubeList,
  type KubeObject,
  type ResourceType,
  type Selection,
  type WatchEvent,
} from '../client/index.js';
import type { ReflectorTiming } from './timing.js';
import { VersionWaiters } from './version-waiters.js';

/** Where a feed delivers. Both are synchronous and must not throw. */
interface FeedSink<T extends KubeObject> {
  /** All objects of the feed as of a version; undefined when the cluster is back at an earlier state. */
  listed(items: T[], version: string | undefined): void;
  happened(event: Extract<WatchEvent<T>, { object: T }>): void;
}

export interface FeedLog {
  debug?(fields: object): void;
  info?(fields: object): void;
  warn(fields: object): void;
}

export interface FeedOptions<T extends KubeObject> {
  client: ApiClient;
  type: ResourceType<T>;
  selection: Selection;
  timing: ReflectorTiming;
  sink: FeedSink<T>;
  log: FeedLog;
}

/** From here on a failure is no hiccup and is logged. */
const FAILURES_TO_WARN = 3;

/**
 * Follows one collection for ever: list, watch, go on where the watch ended, list again when that state has expired. One
 * request at a time; after failures it waits, longer each time; what the server asks for in `Retry-After` is kept to.
 *
 * Lists are read from the newest state (no `resourceVersion` in the request), never from an API server's cache: going back in
 * time is what makes controllers delete what they have just made. A failed or half list changes nothing.
 */
export class Feed<T extends KubeObject> {
  readonly #stop = new AbortController();
  readonly #waiters = new VersionWaiters();
  #running: Promise<void> | undefined;
  #version: string | undefined;
  #listedAt = 0;
  #synced = false;
  #connected = false;
  #failures = 0;
  #retryAfterMs = 0;
  #problem: Error | undefined;
  #staleSince: number | undefined;

  constructor(private readonly options: FeedOptions<T>) {}

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort(new UnavailableError('The reflector has been stopped.', 'Ending'));
    this.#waiters.stop();
    await this.#running;
  }

  /** Whether the objects were listed once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Whether a watch is open now. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why it is not connected. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /**
   * Why the objects were never listed: the engine has no right to. Ends when it gets the right, or when something else is amiss.
   * Who was listed once is not refused by that: what is known of it stays usable.
   */
  get refusal(): AccessError | undefined {
    return !this.#synced && this.#problem instanceof AccessError ? this.#problem : undefined;
  }

  /**
   * Resolves when everything up to this version was delivered.
   * @throws the signal's reason, that the feed was stopped, or the refusal: nobody waits for rights
   */
  reached(version: string | undefined, signal: AbortSignal): Promise<void> {
    return this.#waiters.wait(version, signal);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const opened = { at: Infinity };
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch(opened);
        this.#ended(opened.at, undefined);
      } catch (error) {
        if (signal.aborted) break;
        this.#ended(opened.at, error);
      }
      if (this.#failures > 0) await pause(this.#delayMs(), signal);
    }
    this.#connected = false;
  }

  async #list(): Promise<void> {
    const { client, type, selection, timing, sink } = this.options;
    const list = await listAll(client, type, {
      ...selection,
      signal: this.#stop.signal,
      attempts: 1,
      attemptMs: timing.listMs,
    });
    const isBack = this.#isBack(list);
    this.#listedAt = performance.now();
    sink.listed(list.items, isBack ? undefined : list.resourceVersion);
    this.#synced = true;
    this.#waiters.refuse(undefined);
    this.#advance(list.resourceVersion, true);
  }

  /**
   * A list that is older than what was seen comes from a server or proxy that lags: what it lacks has not gone. When it stays
   * so, the cluster's storage was put back to an earlier state.
   * @throws UnavailableError `StaleList`
   */
  #isBack(list: KubeList<T>): boolean {
    const seen = this.#waiters.version;
    if (seen === undefined || (compareVersions(list.resourceVersion, seen) ?? 0) >= 0) {
      this.#staleSince = undefined;
      return false;
    }
    this.#staleSince ??= performance.now();
    if (performance.now() - this.#staleSince < this.options.timing.staleMs) {
      throw new UnavailableError(
        `The API server shows an older state (${list.resourceVersion}) than before (${seen}).`,
        'StaleList',
      );
    }
    this.#staleSince = undefined;
    this.#tell('warn', 'The cluster is back at an earlier state: taken for a restored backup');
    return true;
  }

  async #watch(opened: { at: number }): Promise<void> {
    const { client, type, selection, timing, sink } = this.options;
    const events = client.watch(type, {
      ...selection,
      signal: this.#stop.signal,
      resourceVersion: this.#version ?? '',
      timeoutSeconds: Math.ceil((timing.watchMs * (1 + Math.random())) / 1000),
      idleMs: timing.idleMs,
      onOpen: () => {
        opened.at = performance.now();
        this.#connected = true;
        this.#problem = undefined;
      },
    });
    for await (const event of events) {
      if (event.type === 'BOOKMARK') {
        this.#advance(event.resourceVersion);
      } else {
        sink.happened(event);
        this.#advance(event.object.metadata.resourceVersion ?? '');
      }
    }
  }

  /** Never back, so that an event that came late is not asked for again and again. */
  #advance(version: string, anew = false): void {
    const known = anew ? undefined : this.#version;
    if (known !== undefined && (compareVersions(version, known) ?? 1) < 0) return;
    this.#version = version;
    this.#waiters.advance(version);
  }

  #ended(openedAt: number, error: unknown): void {
    const { timing } = this.options;
    this.#connected = false;
    this.#retryAfterMs = 0;
    const healthy = performance.now() - openedAt >= timing.healthyMs;
    if (healthy) this.#recovered();
    if (error === undefined) {
      if (!healthy) this.#failures += 1;
      const { relistMs } = timing;
      const due = this.#listedAt + relistMs * (1 + Math.random() / 10);
      if (relistMs > 0 && performance.now() >= due) this.#version = undefined;
      return;
    }
    if (error instanceof ExpiredError || isFromTheFuture(error)) this.#version = undefined;
    this.#problem = error instanceof Error ? error : new Error(messageOf(error));
    this.#failures += 1;
    this.#waiters.refuse(this.refusal);
    if (error instanceof ApiUnavailableError) this.#retryAfterMs = error.retryAfterMs ?? 0;
    const level = this.#failures === FAILURES_TO_WARN ? 'warn' : 'debug';
    this.#tell(level, 'Following objects is interrupted', {
      error: messageOf(error),
      failures: this.#failures,
    });
  }

  #delayMs(): number {
    return Math.max(backoffMs(this.#failures, this.options.timing.backoff), this.#retryAfterMs);
  }

  #recovered(): void {
    if (this.#failures >= FAILURES_TO_WARN) this.#tell('info', 'Following objects again');
    this.#failures = 0;
  }

  #tell(level: keyof FeedLog, msg: string, more: object = {}): void {
    const { log, type, selection } = this.options;
    log[level]?.({ msg, resource: type.plural, namespace: selection.namespace, ...more });
  }
}

/** The storage was put back to before our version: no server will ever reach it by waiting. */
function isFromTheFuture(error: unknown): boolean {
  const status = apiStatusOf(error)?.status;
  return (
    status?.details?.causes?.some(({ reason }) => reason === 'ResourceVersionTooLarge') === true ||
    /too large resource version/i.test(status?.message ?? '')
  );
}
