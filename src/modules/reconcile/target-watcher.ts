import type { OnApplicationBootstrap, BeforeApplicationShutdown } from '@nestjs/common';
import { hashOf, messageOf, type DeploymentOwner } from '@symphony/model';
import type { TargetChange, WatchCall } from '@symphony/provider-kit';
import type { JobStore, LaneOrder } from '../queue/index.js';
import type { ObservedPlace, RunPlanner } from '../solution/index.js';
import type { Ledger } from './ledger.js';
import { startWatching } from './start-watching.js';

export interface TargetWatcherOptions {
  /** Changes within this time make one order. Milliseconds. */
  gatherMs: number;
  /** Orders for one owner come no faster than this, doubling while changes keep coming. */
  minGapMs: number;
  maxGapMs: number;
  /** How often watches that nobody needs any more are ended. */
  sweepMs: number;
  log?: (message: string) => void;
}

const DEFAULTS: TargetWatcherOptions = { gatherMs: 100, minGapMs: 1_000, maxGapMs: 60_000, sweepMs: 60_000 };
/** Owners on one target that a change of unknown extent wakes; the others have their periodic runs. */
const MAX_OWNERS = 1_000;

interface Watch {
  targetUid: string;
  stop: AbortController;
  /** Owners that were read before the watch had begun: what happened to theirs in between was not heard. */
  unheard: Set<string> | undefined;
}

interface Pace {
  gapMs: number;
  /** Of the last order, by the process's monotonic clock. */
  orderedAt: number;
}

/**
 * Listens to the targets that can tell what happens on them, and orders runs of those whose things are concerned: drift is
 * healed without polling. A hint only: what is not heard is found by the next periodic run. A watch begins with the start of the
 * process where something is already, else with the first run that reads a place, and ends when nothing of ours is left on the
 * target. Every replica watches by itself: its orders fold into the same lanes, and none is deaf when another ends.
 */
export class TargetWatcher implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #watches = new Map<string, Watch>();
  readonly #waiting = new Map<string, Set<string>>();
  readonly #paces = new Map<string, Pace>();
  /** Uids of owners by those that their things are marked with, where they differ. */
  readonly #markedAs = new Map<string, string>();
  readonly #options: TargetWatcherOptions;
  #sweeper: NodeJS.Timeout | undefined;
  /** Aborted when this process ceases to be in charge. */
  #charge = new AbortController();
  #unsubscribe: () => void = () => undefined;
  #ended = false;

  constructor(
    private readonly planner: RunPlanner,
    private readonly ledger: Ledger,
    private readonly jobs: Pick<JobStore, 'order'>,
    options: Partial<TargetWatcherOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  onApplicationBootstrap(): void {
    this.planner.onObserved = (place) => this.#ensure(place);
    this.#sweeper = setInterval(() => void this.#sweep(), this.#options.sweepMs);
    this.#sweeper.unref();
    this.#unsubscribe = this.ledger.onCharge((inCharge) => {
      this.#endWatches('another process is in charge');
      if (inCharge) void this.#watchKnown();
    });
  }

  beforeApplicationShutdown(): void {
    this.#ended = true;
    this.#unsubscribe();
    this.planner.onObserved = () => undefined;
    clearInterval(this.#sweeper);
    this.#endWatches('the engine stops');
  }

  #endWatches(why: string): void {
    this.#charge.abort(new Error(why));
    this.#charge = new AbortController();
    for (const watch of this.#watches.values()) watch.stop.abort();
    this.#watches.clear();
    this.#markedAs.clear();
  }

  /** What happened before is found by the periodic runs. */
  async #watchKnown(): Promise<void> {
    const { planner, ledger } = this;
    const { signal: stop } = this.#charge;
    const begin = (place: ObservedPlace): Promise<void> => this.#begin(place, []);
    const log = (message: string): void => this.#say(message);
    try {
      await startWatching({ ledger, planner, begin, log, stop });
    } catch (error) {
      this.#say(`Targets are watched from the next run there on: ${messageOf(error)}`);
    }
  }

  #ensure(place: ObservedPlace): void {
    void this.#begin(place, [place.ownerUid]);
  }

  async #begin(place: ObservedPlace, unheard: readonly string[]): Promise<void> {
    const { ownerUid, site, call, canWatch, target } = place;
    if (!canWatch || this.#ended) return;
    const { knownAs } = call;
    if (knownAs) this.#markedAs.set(knownAs.owner, ownerUid);
    const marked = { ...target, uid: knownAs?.target ?? target.uid };
    const { provider: type } = call.binding;
    const key = JSON.stringify([site.targetUid, marked.uid, site.role, type, hashOf(call.config)]);
    const known = this.#watches.get(key);
    if (known) {
      for (const ownerUid of unheard) known.unheard?.add(ownerUid);
      return;
    }
    const stop = new AbortController();
    const watch: Watch = { targetUid: site.targetUid, stop, unheard: new Set(unheard) };
    this.#watches.set(key, watch);
    const onChange = (change: TargetChange): void => this.#changed(site.targetUid, site.targetName, change);
    const watchCall = { target: marked, role: site.role, signal: stop.signal };
    await this.#listen(key, watch, place, watchCall, onChange);
  }

  async #listen(
    key: string,
    watch: Watch,
    place: ObservedPlace,
    call: WatchCall,
    onChange: (change: TargetChange) => void,
  ): Promise<void> {
    try {
      const { provider, release } = this.planner.lease(place);
      // The connection has to stay for as long as the watch.
      call.signal.addEventListener('abort', release, { once: true });
      await provider.watch?.(call, onChange);
      for (const owner of watch.unheard ?? []) onChange({ ownerUid: owner, what: 'watch began' });
      watch.unheard = undefined;
    } catch (error) {
      this.#watches.delete(key);
      const wasWanted = !call.signal.aborted;
      watch.stop.abort();
      if (wasWanted) {
        this.#say(`Target ${call.target.name} cannot be watched: ${messageOf(error)}`);
      }
    }
  }

  /** Gathers what happens at about the same time: one removal by hand is several events. */
  #changed(targetUid: string, targetName: string, change: TargetChange): void {
    if (this.#ended) return;
    const owners = this.#waiting.get(targetUid);
    const { ownerUid = '*' } = change;
    const owner = this.#markedAs.get(ownerUid) ?? ownerUid;
    if (owners) {
      owners.add(owner);
      return;
    }
    this.#waiting.set(targetUid, new Set([owner]));
    const timer = setTimeout(() => {
      const concerned = this.#waiting.get(targetUid) ?? new Set<string>();
      this.#waiting.delete(targetUid);
      void this.#order(targetUid, targetName, concerned);
    }, this.#options.gatherMs);
    timer.unref();
  }

  async #order(targetUid: string, targetName: string, uids: ReadonlySet<string>): Promise<void> {
    try {
      const { owners } = await this.ledger.ownersOn(targetUid, MAX_OWNERS);
      const orders = owners
        .filter((owner) => owner.kind !== 'Inline' && (uids.has('*') || uids.has(owner.uid)))
        .map((owner) => this.#orderFor(owner, targetName));
      if (orders.length > 0) await this.jobs.order(orders);
    } catch (error) {
      this.#say(
        `A change on target ${targetName} made no order; the next periodic run finds it: ${messageOf(error)}`,
      );
    }
  }

  /** Something that keeps changing is looked at less and less often: its changes must not become a storm of runs. */
  #orderFor(owner: DeploymentOwner, targetName: string): LaneOrder {
    const { minGapMs, maxGapMs } = this.#options;
    const now = performance.now();
    const pace = this.#paces.get(owner.uid);
    const quiet = !pace || now - pace.orderedAt > 2 * pace.gapMs;
    const gapMs = quiet ? minGapMs : Math.min(maxGapMs, pace.gapMs * 2);
    const at = quiet ? now : Math.max(now, pace.orderedAt + pace.gapMs);
    this.#paces.set(owner.uid, { gapMs, orderedAt: at });
    return {
      kind: owner.kind === 'Target' ? 'Target' : 'Instance',
      namespace: owner.namespace,
      name: owner.name,
      generation: 0,
      action: 'update',
      cause: 'retry',
      actor: `watch of ${targetName}`,
      delayMs: Math.round(at - now),
    };
  }

  async #sweep(): Promise<void> {
    const now = performance.now();
    for (const [uid, pace] of this.#paces) {
      if (now - pace.orderedAt > 2 * this.#options.maxGapMs) this.#paces.delete(uid);
    }
    try {
      const uids = [...new Set([...this.#watches.values()].map((watch) => watch.targetUid))];
      const occupied = uids.length > 0 ? await this.ledger.occupiedAmong(uids) : new Set<string>();
      for (const [key, watch] of this.#watches) {
        // One that began meanwhile is looked at next time.
        if (occupied.has(watch.targetUid) || !uids.includes(watch.targetUid)) continue;
        watch.stop.abort();
        this.#watches.delete(key);
      }
    } catch {
      // The store is away; the next sweep looks again.
    }
  }

  #say(message: string): void {
    this.#options.log?.(message);
  }
}
