import { AccessError, ConflictError, messageOf, NotFoundError } from '@symphony/model';
import pLimit from 'p-limit';
import type { ApiClient } from '../client/index.js';
import { microTime } from '../leadership/index.js';
import { Budget } from './budget.js';
import { EVENT_TYPE, newEvent, type Happening, type Regarding } from './kube-event.js';

/** What became of something that was told: its own event, one more of a series, or nothing. */
export type EventResult = 'created' | 'series' | 'dropped';

export interface EventLimits {
  /** Least time between two writes of one series. */
  seriesEveryMs: number;
  /** A series in which nothing has happened for so long is over; the server forgets events after an hour. */
  seriesEndsMs: number;
  /** New events of one object: so many at once, then so many per second. */
  perObject: { burst: number; perSecond: number };
  /** New events of all objects. A fifth of the burst is for warnings only. */
  total: { burst: number; perSecond: number };
  /** Nothing is sent for so long to a namespace that takes no events. */
  muteMs: number;
  /** Requests that wait for their turn, at most. */
  waiting: number;
}

const LIMITS: EventLimits = {
  seriesEveryMs: 60_000,
  seriesEndsMs: 30 * 60_000,
  perObject: { burst: 10, perSecond: 1 / 30 },
  total: { burst: 100, perSecond: 5 },
  muteMs: 5 * 60_000,
  waiting: 500,
};

export interface EventRecorderOptions {
  client: Pick<ApiClient, 'create' | 'patch'>;
  /** Names this process. */
  instance: string;
  /** Counts each happening once. */
  count: (result: EventResult) => void;
  log: { debug(fields: object): void };
  limits?: Partial<EventLimits>;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
}

/** What is told of one object for one reason, again and again. */
interface Series {
  regarding: Regarding;
  happening: Happening;
  /** The event's own; undefined while it is being created. */
  name: string | undefined;
  count: number;
  /** As the server has it. */
  sentCount: number;
  sentAt: number;
  lastAt: number;
  lastTime: string;
  timer: NodeJS.Timeout | undefined;
}

/** Objects and series that are remembered; what is forgotten is told anew. */
const MOST = 5_000;
const AT_ONCE = 2;
const REQUEST = { attempts: 1, deadlineMs: 5_000 } as const;

/**
 * Kubernetes Events, for people. What happens again to the same object for the same reason is one event with a count, patched once in
 * a while; what is new costs from a budget for each object and one for all. Nobody waits for any of it, and nothing is tried twice:
 * what cannot be sent (no right, no quota, a namespace that goes, a server that does not answer) is dropped and counted.
 */
export class EventRecorder {
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, Budget>();
  readonly #muted = new Map<string, number>();
  readonly #requests = pLimit(AT_ONCE);
  readonly #limits: EventLimits;
  readonly #now: () => number;
  readonly #total: Budget;
  readonly #stop = new AbortController();

  constructor(private readonly options: EventRecorderOptions) {
    this.#limits = { ...LIMITS, ...options.limits };
    this.#now = options.now ?? ((): number => performance.now());
    const { burst, perSecond } = this.#limits.total;
    this.#total = new Budget(burst, perSecond, this.#now);
  }

  /** Never throws, and returns at once. */
  record(regarding: Regarding, happening: Happening): void {
    if (this.#stop.signal.aborted) return;
    const key = `${regarding.uid}\0${happening.reason}`;
    const known = this.#running(key);
    if (known && (known.happening.note === happening.note || !this.#mayCreate(regarding, happening))) {
      this.#again(key, known);
      return;
    }
    if (this.#isMuted(regarding.namespace) || !this.#mayCreate(regarding, happening)) {
      this.options.count('dropped');
      return;
    }
    this.#total.take();
    this.#budgetOf(regarding.uid).take();
    if (known) this.#forget(key, known);
    this.#begin(key, regarding, happening);
  }

  /** This process does not lead any more: whoever does tells what follows. */
  clear(): void {
    for (const [key, series] of this.#series) this.#forget(key, series);
  }

  /** Ends what is planned and under way. */
  stop(): void {
    this.#stop.abort();
    this.#requests.clearQueue();
    this.clear();
  }

  #running(key: string): Series | undefined {
    const known = this.#series.get(key);
    if (!known || this.#now() - known.lastAt <= this.#limits.seriesEndsMs) return known;
    this.#forget(key, known);
    return undefined;
  }

  #mayCreate({ uid }: Regarding, { type }: Happening): boolean {
    const reserve = type === 'Warning' ? 0 : this.#limits.total.burst / 5;
    return this.#total.has(reserve) && this.#budgetOf(uid).has();
  }

  #begin(key: string, regarding: Regarding, happening: Happening): void {
    const now = this.#now();
    const at = microTime();
    const series: Series = {
      regarding,
      happening,
      name: undefined,
      count: 1,
      sentCount: 1,
      sentAt: now,
      lastAt: now,
      lastTime: at,
      timer: undefined,
    };
    bounded(this.#series, (oldKey, old) => this.#forget(oldKey, old));
    this.#series.set(key, series);
    this.#send(key, series, 'created', async (signal) => {
      const event = newEvent(regarding, happening, { instance: this.options.instance, at });
      await this.options.client.create(EVENT_TYPE, event, { ...REQUEST, signal });
      series.name = event.metadata.name;
    });
  }

  #again(key: string, series: Series): void {
    series.count += 1;
    series.lastAt = this.#now();
    series.lastTime = microTime();
    this.options.count('series');
    if (series.timer) return;
    const waitMs = Math.max(0, series.sentAt + this.#limits.seriesEveryMs - series.lastAt);
    series.timer = setTimeout(() => {
      series.timer = undefined;
      this.#patch(key, series);
    }, waitMs);
    series.timer.unref();
  }

  #patch(key: string, series: Series): void {
    const { name, regarding, count } = series;
    if (name === undefined || count === series.sentCount || this.#isMuted(regarding.namespace)) return;
    series.sentAt = this.#now();
    series.sentCount = count;
    const body = { series: { count, lastObservedTime: series.lastTime } };
    const ref = { name, namespace: regarding.namespace };
    this.#send(key, series, undefined, async (signal) => {
      await this.options.client.patch(EVENT_TYPE, ref, { kind: 'merge', body }, { ...REQUEST, signal });
    });
  }

  /** @param result counted when it is done; undefined: it was counted before */
  #send(
    key: string,
    series: Series,
    result: EventResult | undefined,
    request: (signal: AbortSignal) => Promise<void>,
  ): void {
    const { count, log } = this.options;
    const lost = (): void => {
      if (result) count('dropped');
      this.#forget(key, series);
    };
    if (this.#requests.pendingCount >= this.#limits.waiting) {
      lost();
      return;
    }
    const done = this.#requests(async () => {
      await request(this.#stop.signal);
      if (result) count(result);
    });
    done.catch((error: unknown) => {
      lost();
      if (!this.#stop.signal.aborted) log.debug({ msg: 'An event was not sent', error: messageOf(error) });
      if (takesNone(error)) this.#mute(series.regarding.namespace);
    });
  }

  #forget(key: string, series: Series): void {
    clearTimeout(series.timer);
    series.timer = undefined;
    if (this.#series.get(key) === series) this.#series.delete(key);
  }

  #budgetOf(uid: string): Budget {
    const known = this.#budgets.get(uid);
    if (known) return known;
    bounded(this.#budgets, (oldest) => this.#budgets.delete(oldest));
    const { burst, perSecond } = this.#limits.perObject;
    const fresh = new Budget(burst, perSecond, this.#now);
    this.#budgets.set(uid, fresh);
    return fresh;
  }

  #mute(namespace: string): void {
    bounded(this.#muted, (oldest) => this.#muted.delete(oldest));
    this.#muted.set(namespace, this.#now() + this.#limits.muteMs);
  }

  #isMuted(namespace: string): boolean {
    const until = this.#muted.get(namespace);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#muted.delete(namespace);
    return false;
  }
}

/** The namespace goes, has no quota left, or gives us no right: asking again soon changes nothing. */
function takesNone(error: unknown): boolean {
  if (error instanceof ConflictError) return error.code === 'NamespaceTerminating';
  if (error instanceof NotFoundError) return error.code === 'NamespaceNotFound';
  return error instanceof AccessError;
}

/** Makes room for one more. */
function bounded<V>(map: Map<string, V>, forget: (key: string, value: V) => void): void {
  if (map.size < MOST) return;
  const [oldest] = map;
  if (oldest) forget(...oldest);
}
