import { messageOf } from '@symphony/model';
import {
  backoffMs,
  compareVersions,
  deadlineAfter,
  orAborted,
  pause,
  type ApiClient,
} from '../client/index.js';
import { Reflector, type Change } from '../reflector/index.js';
import { LeadershipLostError } from './errors.js';
import { Leadership, type LeadershipListener } from './leadership.js';
import { epochOf, holderOf, LEASES, type Lease } from './lease.js';
import { LeaseObserver, type Leader } from './lease-observer.js';
import { checkedTiming, type LeaseTiming } from './lease-timing.js';
import { LeaseWriter } from './lease-writer.js';
import { LeaseTerm, type Term } from './term.js';

export interface ElectorLog {
  debug?(fields: object): void;
  info(fields: object): void;
  warn(fields: object): void;
}

export interface ElectorOptions {
  client: ApiClient;
  /** Of the Lease. */
  namespace: string;
  name: string;
  /** Unique for this process: {@link processIdentity}. */
  identity: string;
  timing?: Partial<LeaseTiming>;
  /** What the leader says of itself on the Lease, such as where it serves. Asked at each acquisition. */
  annotations?: () => Readonly<Record<string, string>>;
  /** The highest epoch that anything durable carries, as far as it is known: the next term's is greater. */
  knownEpoch?: () => number;
  /** Throws when this process must not lead now; asked before each acquisition. */
  mayLead?: (signal: AbortSignal) => Promise<void>;
  /** Resolves when nothing of an ended term runs any more; awaited, up to one lease, before the next acquisition. */
  settled?: (term: Term) => Promise<void>;
  log: ElectorLog;
}

/** Between two attempts at a free Lease, which another candidate may have taken. */
const MIN_WAIT_MS = 20;

/**
 * Lets at most one process lead, by a Lease (docs/adr/0014-elector.md).
 *
 * - At any moment at most one process has a live term, as long as their monotonic clocks run equally fast to within the gap
 *   between renew deadline and lease. Wall clocks are not used.
 * - Every term has an epoch of its own, greater than all before: `leaseTransitions`, which grows with each acquisition, also
 *   when the same process leads again.
 * - A leader that cannot renew steps down at the renew deadline and becomes a candidate; the process goes on.
 * - `stop` ends the term first and then gives the Lease away, so that a candidate takes over at once.
 *
 * What a term cannot stop in time (an event loop that stands still in the middle of a request) is refused by its epoch.
 *
 * Candidates watch the Lease; only while the watch is broken they poll. What a watch tells is a hint: before the Lease is
 * taken it is read, and taking it is a compare-and-swap.
 */
export class Elector extends Leadership {
  readonly #stop = new AbortController();
  readonly #listeners = new Set<LeadershipListener>();
  readonly #timing: LeaseTiming;
  readonly #writer: LeaseWriter;
  readonly #observer: LeaseObserver;
  readonly #reflector: Reflector<Lease>;
  /** Aborted when a candidate need not wait any more. */
  #freed = new AbortController();
  #running: Promise<void> | undefined;
  #term: LeaseTerm | undefined;
  #held: Lease | undefined;

  constructor(private readonly options: ElectorOptions) {
    super();
    const { client, namespace, name, identity, log, annotations = () => ({}) } = options;
    this.#timing = checkedTiming(options.timing);
    const { leaseMs, renewDeadlineMs, retryMs } = this.#timing;
    const requestMs = renewDeadlineMs / 3;
    this.#writer = new LeaseWriter({ client, namespace, name, identity, leaseMs, requestMs, annotations });
    this.#observer = new LeaseObserver(leaseMs);
    this.#reflector = new Reflector({
      client,
      type: LEASES,
      namespaces: [namespace],
      fieldSelector: `metadata.name=${name}`,
      timing: { backoff: { firstMs: retryMs / 2, mostMs: leaseMs } },
      log,
    });
  }

  start(): void {
    if (this.#running || this.#stop.signal.aborted) return;
    this.#reflector.onChange((change) => this.#noticed(change));
    this.#reflector.start();
    this.#running = this.#run();
  }

  /** Stops to lead, and gives the Lease away when it was held. Call it when the work of the term is done. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#reflector.stop();
  }

  override get term(): Term | undefined {
    return this.#term?.isLive() ? this.#term : undefined;
  }

  override get leader(): Leader | undefined {
    return this.#observer.leader;
  }

  override onChange(listener: LeadershipListener): () => void {
    this.#listeners.add(listener);
    const { term } = this;
    if (term) this.#call(listener, term);
    return () => this.#listeners.delete(listener);
  }

  override outranked(epoch: number): void {
    this.#observer.rememberEpoch(epoch);
    if (this.#term && epoch > this.#term.epoch) this.#term.end(`a record carries the later epoch ${epoch}`);
  }

  override beginAnew(why: string): void {
    this.#term?.end(why);
  }

  override async confirm(): Promise<boolean> {
    const term = this.#term;
    if (!term?.isLive()) return false;
    const lease = await this.#writer.read();
    this.#observer.see(lease);
    if (holderOf(lease) !== this.options.identity || epochOf(lease) !== term.epoch) {
      term.end(lease ? `'${holderOf(lease) ?? 'nobody'}' holds its Lease` : 'its Lease was deleted');
    }
    return term.isLive();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const term = await this.#acquire();
      if (!term) return;
      this.#begin(term);
      await this.#keep(term);
      if (term.isLive()) await this.#release(term);
      else await this.#settle(term);
    }
  }

  /** Undefined when the elector is stopped. */
  async #acquire(): Promise<LeaseTerm | undefined> {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const term = await this.#attempt();
        if (term) return term;
        failures = 0;
        await this.#untilMaybeFree();
      } catch (error) {
        failures += 1;
        this.#tell(failures === 1 ? 'warn' : 'debug', 'This process cannot become the leader', error);
        const { retryMs, leaseMs } = this.#timing;
        await pause(backoffMs(failures, { firstMs: retryMs, mostMs: leaseMs }), signal);
      }
    }
    return undefined;
  }

  /** Takes the Lease when it may be taken. */
  async #attempt(): Promise<LeaseTerm | undefined> {
    const { identity, knownEpoch = () => 0, mayLead } = this.options;
    const lease = await this.#writer.read();
    this.#observer.see(lease);
    if (this.#observer.freeIn(identity) > 0) return undefined;
    await mayLead?.(this.#stop.signal);
    if (this.#stop.signal.aborted) return undefined;
    const epoch = Math.max(this.#observer.highestEpoch, knownEpoch()) + 1;
    // Also when the answer gets lost: an epoch that may have been written is never used again.
    this.#observer.rememberEpoch(epoch);
    const since = performance.now();
    const held = await this.#writer.acquire(lease, epoch);
    if (!held) return undefined;
    this.#observer.see(held);
    this.#held = held;
    const term = new LeaseTerm(epoch, since, this.#timing.renewDeadlineMs);
    return term.isLive() ? term : undefined;
  }

  /** The watch tells of renewals and releases; without one the Lease is read as often as a leader renews. */
  async #untilMaybeFree(): Promise<void> {
    const { signal } = this.#stop;
    const { identity } = this.options;
    do {
      const watches = this.#reflector.state.connected;
      const waitMs = this.#observer.freeIn(identity);
      const lookMs = watches ? waitMs : Math.min(waitMs, this.#timing.retryMs);
      this.#freed = new AbortController();
      await pause(Math.max(MIN_WAIT_MS, jittered(lookMs)), signal, this.#freed.signal);
      if (!watches) return;
    } while (!signal.aborted && this.#observer.freeIn(identity) > 0);
  }

  /** Renews until the term is over, or the elector is stopped. */
  async #keep(term: LeaseTerm): Promise<void> {
    const { signal } = this.#stop;
    const { retryMs } = this.#timing;
    let waitMs = jittered(retryMs);
    for (;;) {
      await pause(waitMs, term.signal, signal);
      if (!term.isLive() || signal.aborted || !this.#held) return;
      const since = performance.now();
      try {
        this.#held = await this.#writer.renew(this.#held);
        this.#observer.see(this.#held);
        if (!term.extend(since)) return;
        waitMs = jittered(retryMs);
      } catch (error) {
        if (error instanceof LeadershipLostError) return term.end(error.message);
        this.#tell('debug', 'The Lease was not renewed, trying again', error);
        waitMs = jittered(retryMs / 4);
      }
    }
  }

  #begin(term: LeaseTerm): void {
    this.#term = term;
    term.signal.addEventListener('abort', () => this.#ended(term), { once: true });
    this.options.log.info({ msg: 'This process leads', epoch: term.epoch, identity: this.options.identity });
    for (const listener of this.#listeners) this.#call(listener, term);
  }

  #ended(term: LeaseTerm): void {
    if (this.#term === term) this.#term = undefined;
    const fields = { epoch: term.epoch, reason: messageOf(term.signal.reason) };
    this.options.log.info({ msg: 'This process does not lead any more', ...fields });
    for (const listener of this.#listeners) this.#call(listener, undefined);
  }

  async #release(term: LeaseTerm): Promise<void> {
    term.end('it was told to stop');
    if (!this.#held) return;
    try {
      await this.#writer.release(this.#held);
    } catch (error) {
      this.#tell('warn', 'The Lease was not given away; others take over when it ends', error);
    }
  }

  async #settle(term: LeaseTerm): Promise<void> {
    const { settled } = this.options;
    if (!settled) return;
    const deadline = deadlineAfter(
      this.#timing.leaseMs,
      this.#stop.signal,
      () => new Error('it takes too long'),
    );
    try {
      await orAborted(settled(term), deadline.signal);
    } catch (error) {
      this.#tell('warn', 'What the ended term was doing has not ended', error);
    } finally {
      deadline.end();
    }
  }

  /** What the watch tells: candidates hear of a release, and a leader that the Lease is not its own any more. */
  #noticed({ before, after }: Change<Lease>): void {
    const { identity } = this.options;
    this.#observer.see(after);
    if (this.#term && this.#held && isTakenAway(this.#held, before, after)) {
      this.#term.end(after ? `'${holderOf(after) ?? 'nobody'}' holds its Lease` : 'its Lease was deleted');
    }
    if (this.#observer.freeIn(identity) === 0) this.#freed.abort();
  }

  #call(listener: LeadershipListener, term: Term | undefined): void {
    try {
      listener(term);
    } catch (error) {
      this.#tell('warn', 'A listener of the leadership failed', error);
    }
  }

  #tell(level: keyof ElectorLog, msg: string, error: unknown): void {
    const { log, identity } = this.options;
    log[level]?.({ msg, identity, error: messageOf(error) });
  }
}

/** Whether what the watch tells came after our last write, and is not ours. */
function isTakenAway(held: Lease, before: Lease | undefined, after: Lease | undefined): boolean {
  if (!after) return before?.metadata.uid === held.metadata.uid;
  const { resourceVersion = '' } = after.metadata;
  const isNewer = (compareVersions(resourceVersion, held.metadata.resourceVersion ?? '') ?? 0) > 0;
  return isNewer && (holderOf(after) !== holderOf(held) || epochOf(after) !== epochOf(held));
}

/** Up to a tenth later, so that candidates do not come in step. */
function jittered(ms: number): number {
  return ms * (1 + Math.random() / 10);
}
