import { messageOf, UnavailableError } from '@symphony/model';
import {
  deadlineAfter,
  orAborted,
  type ApiClient,
  type KubeObject,
  type ObjectRef,
  type ResourceType,
} from '../client/index.js';
import { Feed, type FeedLog } from './feed.js';
import { ObjectCache, type Change, type IndexFunction } from './object-cache.js';
import { DEFAULT_TIMING, type ReflectorTiming } from './timing.js';

export interface ReflectorOptions<T extends KubeObject, I extends string = never> {
  client: ApiClient;
  type: ResourceType<T>;
  /** Default: all, with one watch. Else one watch for each, which needs no right beyond them. */
  namespaces?: readonly string[] | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Readonly<Record<I, IndexFunction<T>>>;
  /** What of an object is kept. Default: all but `metadata.managedFields`, which is half of it and of no use. */
  keep?: (object: T) => T;
  timing?: Partial<ReflectorTiming>;
  log?: FeedLog;
}

export type ChangeHandler<T extends KubeObject> = (change: Change<T>) => void;

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  /** Default 10 000. */
  deadlineMs?: number;
}

interface OneNamespace {
  namespace?: string | undefined;
}

export interface ReflectorState {
  /**
   * Whether the cache was complete once, but for the namespaces that are refused; it stays usable, and may be old, while the
   * connection is away. False where all is refused.
   */
  synced: boolean;
  /** Whether all watches are open, but for the namespaces that are refused. */
  connected: boolean;
  /** Why one is not. */
  problem: Error | undefined;
  /** Namespaces of which nothing is known, because the engine has no right to list them. */
  refused: string[];
}

const WAIT_MS = 10_000;

/**
 * A local picture of the objects of one type, kept up by watching.
 *
 * - It is never emptied by a failure: only a complete, newest list and deletion events take objects out.
 * - Every difference between two pictures is told once, in the order in which it was seen, as a {@link Change}: also what
 *   happened while the connection was away, deletions included, and a name that was given to a new object.
 * - Repeated, late and reordered events change nothing and are not told.
 * - The picture is complete before the first handler is called for any change of a list.
 * - What handlers throw is logged, and stops nothing.
 * - Objects are shared by all readers and deeply frozen.
 *
 * It says what the API server last told, which may be old: whoever must not act on old data reads the object itself.
 */
export class Reflector<T extends KubeObject, I extends string = never> {
  readonly #cache: ObjectCache<T, I>;
  readonly #feeds: ReadonlyMap<string | undefined, Feed<T>>;
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #log: FeedLog;
  readonly #keep: (object: T) => T;

  constructor(private readonly options: ReflectorOptions<T, I>) {
    const { client, type, namespaces, labelSelector, fieldSelector, keep = withoutManagedFields } = options;
    this.#cache = new ObjectCache(type.kind, options.indexes ?? ({} as Record<I, IndexFunction<T>>));
    this.#log = options.log ?? { warn: () => undefined };
    this.#keep = keep;
    const timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#feeds = new Map(
      (namespaces ? [...new Set(namespaces)] : [undefined]).map((namespace) => [
        namespace,
        new Feed<T>({
          client,
          type,
          selection: { namespace, labelSelector, fieldSelector },
          timing,
          log: this.#log,
          sink: {
            listed: (items, version) =>
              this.#tell(this.#cache.replace({ items: items.map(this.#keep), version, namespace })),
            happened: ({ type: what, object }) =>
              this.#tell(
                what === 'DELETED' ? this.#cache.remove(object) : this.#cache.put(this.#keep(object)),
              ),
          },
        }),
      ]),
    );
  }

  /** Begins, and goes on until `stop`. */
  start(): void {
    for (const feed of this.#feeds.values()) feed.start();
  }

  /** Resolves when no request is under way and no handler will be called again. The cache stays readable. */
  async stop(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map((feed) => feed.stop()));
  }

  get state(): ReflectorState {
    const all = [...this.#feeds];
    const open = all.flatMap(([, feed]) => (feed.refusal ? [] : feed));
    const feeds = open.length > 0 ? open : [...this.#feeds.values()];
    return {
      synced: feeds.every(({ synced }) => synced),
      connected: feeds.every(({ connected }) => connected),
      problem: feeds.find(({ problem }) => problem !== undefined)?.problem,
      refused: all.flatMap(([namespace, feed]) => (feed.refusal && namespace ? namespace : [])),
    };
  }

  /**
   * Resolves when the cache is complete for the first time: in one namespace, or in all that are followed. Without a deadline it
   * waits for ever, but not for rights.
   * @throws the signal's reason; AccessError when the engine may not list; UnavailableError `CacheNotReady` at the deadline
   */
  async whenSynced({ namespace, signal, deadlineMs }: WaitOptions & OneNamespace = {}): Promise<void> {
    const feeds = namespace === undefined ? [...this.#feeds.values()] : [this.#feedOf(namespace)];
    await this.#within(deadlineMs, signal, (over) =>
      Promise.all(feeds.map((feed) => feed.reached(undefined, over))),
    );
  }

  /** Whether the cache was complete in a namespace, and hears of its changes at this moment. */
  follows(namespace: string): boolean {
    const { synced, connected } = this.#feedOf(namespace);
    return synced && connected;
  }

  /** Why it does not hear of the changes in a namespace at this moment. Undefined while it does, and before anything went wrong. */
  problemIn(namespace: string | undefined): Error | undefined {
    const { connected, problem } = this.#feedOf(namespace);
    return connected ? undefined : problem;
  }

  /**
   * Resolves when the cache shows a write, given the version that the write's answer had. For what this reflector selects only: of
   * other writes it hears with the next bookmark, about a minute later.
   * @throws the signal's reason; AccessError when the engine may not list; UnavailableError `CacheNotReady` at the deadline
   */
  async waitFor(
    { namespace, resourceVersion }: OneNamespace & { resourceVersion: string },
    { signal, deadlineMs = WAIT_MS }: WaitOptions = {},
  ): Promise<void> {
    const feed = this.#feedOf(namespace);
    await this.#within(deadlineMs, signal, (over) => feed.reached(resourceVersion, over));
  }

  get(ref: ObjectRef): T | undefined {
    return this.#cache.get(ref);
  }

  byUid(uid: string): T | undefined {
    return this.#cache.byUid(uid);
  }

  byIndex(index: I, value: string): T[] {
    return this.#cache.byIndex(index, value);
  }

  /** All, or those of one namespace, in no particular order. */
  list(namespace?: string): T[] {
    return this.#cache.list(namespace);
  }

  /**
   * As `list`, for whoever would take a gap for an absence. Of all namespaces it leaves out those that are refused, and of one that
   * is not followed nothing is there.
   * @throws UnavailableError `CacheNotReady` before the cache is complete there
   */
  listed(namespace?: string): T[] {
    const { synced } = this.state;
    const one =
      namespace === undefined ? undefined : (this.#feeds.get(undefined) ?? this.#feeds.get(namespace));
    if (one ? !one.synced : namespace === undefined && !synced) throw this.#notReady(one?.problem);
    return this.list(namespace);
  }

  get size(): number {
    return this.#cache.size;
  }

  /** Takes over the answer of a write: this process then sees it before the watch tells of it. Older states change nothing. */
  seen(object: T): void {
    this.#tell(this.#cache.put(this.#keep(object)));
  }

  /** Takes over that an object has gone, from whoever removed it. */
  gone(object: T): void {
    this.#tell(this.#cache.remove(object));
  }

  /**
   * Calls the handler for every change from now on, and at once for every object that is there. Handlers are synchronous and
   * short: they note what to look at. Returns what ends it.
   */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const change of this.#cache.appearances()) this.#call(handler, change);
    return () => this.#handlers.delete(handler);
  }

  #feedOf(namespace: string | undefined): Feed<T> {
    const feed = this.#feeds.get(undefined) ?? this.#feeds.get(namespace);
    if (!feed) throw new Error(`the namespace '${namespace}' is not watched`);
    return feed;
  }

  #tell(changes: readonly Change<T>[]): void {
    for (const change of changes) for (const handler of this.#handlers) this.#call(handler, change);
  }

  #call(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.#log.warn({ msg: 'A handler of changes failed', ...change.key, error: messageOf(error) });
    }
  }

  async #within(
    ms: number | undefined,
    signal: AbortSignal | undefined,
    work: (over: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    // The longest that a timer takes is 24 days.
    const deadline = deadlineAfter(ms ?? 2 ** 31 - 1, signal, () => this.#notReady());
    try {
      await orAborted(work(deadline.signal), deadline.signal);
    } finally {
      deadline.end();
    }
  }

  #notReady(problem = this.state.problem): UnavailableError {
    const why = problem ? `: ${problem.message}` : '';
    return new UnavailableError(
      `The engine does not see the newest ${this.options.type.plural} yet${why}`,
      'CacheNotReady',
    );
  }
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _unused, ...metadata } = object.metadata;
  return { ...object, metadata };
}
