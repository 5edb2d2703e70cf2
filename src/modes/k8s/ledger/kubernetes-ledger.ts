import {
  ConflictError,
  InvalidInputError,
  NotFoundError,
  type DeploymentOwner,
  type LedgerEntry,
  type OutcomeReport,
  type TargetSpec,
} from '@symphony/model';
import { FencedError, type Fence } from '../../../modules/queue/index.js';
import {
  begunEntry,
  Ledger,
  settledEntry,
  TargetGoneError,
  type LedgerOutcome,
  type PlacesPage,
} from '../../../modules/reconcile/index.js';
import type { ApiClient } from '../client/index.js';
import { placesIn } from './known-places.js';
import {
  entriesIn,
  LEDGER_FINALIZER,
  LEDGER_TYPE,
  newLedger,
  rowKeyOf,
  rowOf,
  type LedgerObject,
  type LedgerPlace,
} from './ledger-object.js';
import { TargetGate } from './target-gate.js';

/** The ledgers as far as this replica knows them: never older than what it wrote itself. */
interface LedgerCache {
  byIndex(index: 'owner' | 'target' | 'provider', value: string): LedgerObject[];
  /** Takes over the answer of a write. */
  seen(object: LedgerObject): void;
  /** Takes over that an object was deleted. */
  gone(object: LedgerObject): void;
}

export interface KubernetesLedgerOptions {
  client: Pick<ApiClient, 'create' | 'replace' | 'delete'>;
  cache: LedgerCache;
  /** @throws FencedError when the run has lost its lane, or this replica does not lead any more */
  assertFence: (fence: Fence) => void;
  /** Sees to it that the object of an owner cannot go unnoticed. @throws FencedError when it is going already */
  keepOwner: (owner: DeploymentOwner) => Promise<void>;
  targets: {
    /** Whether it is the uid of an object. Posted deployments bring targets of their own, which never are. */
    isOurs(uid: string): boolean;
    /** As it was last seen. */
    specOf(uid: string): TargetSpec | undefined;
    /** Sees to it that the target cannot go unnoticed. @throws FencedError when it is going, or gone */
    keep: (target: { namespace: string; name: string; uid: string }) => Promise<void>;
    /** A ledger on that target is empty now: if the target is being deleted, it may wait for that. */
    wasLeft(uid: string): void;
  };
  /** The server has refused a write of that claim: somebody else has written. Not waited for. */
  refused?: (ledger: LedgerObject, epoch: number) => void;
  /** Entries were given up without a removal. */
  released?: (owner: DeploymentOwner, left: readonly LedgerEntry[]) => void;
  now?: () => string;
}

/**
 * The ledger as custom resources, one for each owner and target, written by the leader only.
 *
 * Each write states the version that it is based on and the epoch of its claim. A leader that was deposed is refused by the
 * server, either because a newer one has written since or because its epoch is lower than the stored one. A refused write
 * ends its run: it never reads again and retries, which would make an old decision on a new state.
 */
export class KubernetesLedger extends Ledger {
  /** Writes of one ledger follow each other: of one target several steps may end at the same moment. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #gate = new TargetGate();
  readonly #listeners = new Set<(inCharge: boolean) => void>();
  #inCharge = false;

  constructor(private readonly options: KubernetesLedgerOptions) {
    super();
  }

  override entriesOf(ownerUid: string): Promise<LedgerEntry[]> {
    return Promise.resolve(this.options.cache.byIndex('owner', ownerUid).flatMap(entriesIn));
  }

  override ownersOn(targetUid: string, limit: number): Promise<{ total: number; owners: DeploymentOwner[] }> {
    const owners = this.#usedBy(targetUid).map(({ spec }) => spec.owner);
    owners.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
    return Promise.resolve({ total: owners.length, owners: owners.slice(0, limit) });
  }

  /** From the cache's index: nobody asks for it but at the beginning of a term. */
  override placesWith(providers: readonly string[], limit: number, after?: string): Promise<PlacesPage> {
    const { cache, targets } = this.options;
    const ledgers = new Set(providers.flatMap((provider) => cache.byIndex('provider', provider)));
    return Promise.resolve(placesIn(ledgers, providers, (uid) => targets.specOf(uid), limit, after));
  }

  override onCharge(listener: (inCharge: boolean) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#inCharge);
    return () => this.#listeners.delete(listener);
  }

  /** The leader is, from when its lanes are made. */
  setInCharge(inCharge: boolean): void {
    if (inCharge === this.#inCharge) return;
    this.#inCharge = inCharge;
    for (const listener of this.#listeners) listener(inCharge);
  }

  override async begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    await Promise.all(
      [...grouped(entries, ({ targetUid }) => targetUid)].map(([uid, group]) =>
        this.#beginOn(fence, uid, group),
      ),
    );
  }

  override async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    const ledgers = this.options.cache.byIndex('owner', ownerUid);
    const groups = grouped(outcomes, ({ key }) => key.targetUid);
    await Promise.all(
      ledgers.map(async ({ spec }) => {
        const group = groups.get(spec.targetUid);
        if (!group) return;
        const settling = new Map(group.map((outcome) => [rowKeyOf(outcome.key), outcome]));
        await this.#write(fence, spec, (known) =>
          known.flatMap((entry) => {
            const outcome = settling.get(rowKeyOf(entry));
            return outcome ? (settledEntry(entry, outcome, this.#now()) ?? []) : entry;
          }),
        );
      }),
    );
  }

  /**
   * Lets a target go while nothing is on it, and nothing can be put there until `release` has ended.
   * @returns false when something is on it, or about to be
   */
  async releaseTarget(targetUid: string, release: () => Promise<void>): Promise<boolean> {
    if (this.#usedBy(targetUid).length > 0 || this.#gate.isComing(targetUid)) return false;
    await this.#gate.leave(targetUid, release);
    return true;
  }

  /** What an object has deployed, and what others have deployed on it where it is a target. */
  entriesAbout(uid: string): LedgerEntry[] {
    const { cache } = this.options;
    return [...new Set([...cache.byIndex('owner', uid), ...cache.byIndex('target', uid)])].flatMap(entriesIn);
  }

  /** Gives up the entries of an owner without removing anything. @returns what was in them */
  releaseOwner(ownerUid: string): Promise<LedgerEntry[]> {
    return this.#giveUp(this.options.cache.byIndex('owner', ownerUid));
  }

  /**
   * Gives up what anybody has on a target without removing anything, and then lets the target go. Runs go on beside it: what they
   * are about to put there is refused from now on, or given up as well.
   * @returns what was in the ledgers
   */
  releaseOn(targetUid: string, release: () => Promise<void>): Promise<LedgerEntry[]> {
    return this.#gate.leave(targetUid, async () => {
      await this.#gate.whenCome(targetUid);
      const left = await this.#giveUp(this.options.cache.byIndex('target', targetUid));
      await release();
      return left;
    });
  }

  async #giveUp(ledgers: readonly LedgerObject[]): Promise<LedgerEntry[]> {
    await Promise.all(
      ledgers.map((ledger) =>
        this.#inTurn(ledger.spec, async () => {
          const current = this.#current(ledger.spec);
          if (current) await this.#remove(current, current.spec.epoch);
        }),
      ),
    );
    const left = ledgers.flatMap(entriesIn);
    for (const entries of grouped(left, ({ owner }) => owner.uid).values()) {
      const [first] = entries;
      if (first) this.options.released?.(first.owner, entries);
    }
    return left;
  }

  /**
   * Puts what was reported to the entries that it is about: in turn with the writes of runs, so that it makes none of them fail.
   * @returns those entries @throws FencedError when somebody else has written
   */
  async keepReport(
    ownerUid: string,
    targetUid: string,
    report: OutcomeReport,
    isAbout: (entry: LedgerEntry, key: string) => boolean,
  ): Promise<LedgerEntry[]> {
    const find = (): LedgerObject | undefined =>
      this.options.cache.byIndex('owner', ownerUid).find(({ spec }) => spec.targetUid === targetUid);
    const place = find()?.spec;
    const about = new Set<LedgerEntry>();
    if (!place) return [];
    await this.#inTurn(place, async () => {
      const current = find();
      if (!current) return;
      const entries = entriesIn(current);
      for (const entry of entries) if (isAbout(entry, rowKeyOf(entry))) about.add(entry);
      if ([...about].every((entry) => entry.report?.at === report.at)) return;
      const rows = entries.map((entry) => rowOf(about.has(entry) ? { ...entry, report } : entry));
      const replaced = { ...current, spec: { ...current.spec, entries: rows } };
      const written = this.options.client.replace(LEDGER_TYPE, replaced);
      this.options.cache.seen(await this.#fenced(written, replaced, current.spec.epoch));
    });
    return [...about];
  }

  async #beginOn(fence: Fence, targetUid: string, entries: readonly LedgerEntry[]): Promise<void> {
    const puts = entries.some(({ state }) => state === 'intent');
    const assertOpen = (): void => {
      if (puts && this.#gate.isLeaving(targetUid)) throw new TargetGoneError();
    };
    assertOpen();
    await this.#gate.come(targetUid, () => this.#writeDown(fence, targetUid, entries, puts));
    // Else what is being given up there, this with it, would be there after all.
    assertOpen();
  }

  async #writeDown(
    fence: Fence,
    targetUid: string,
    entries: readonly LedgerEntry[],
    puts: boolean,
  ): Promise<void> {
    const { targets, keepOwner, assertFence } = this.options;
    const [first] = entries;
    if (!first) return;
    assertFence(fence);
    // Each time: whoever replaces an object whole leaves our finalizer out.
    if (puts) await keepOwner(first.owner);
    if (puts && targets.isOurs(targetUid)) await this.#keepTarget(first);
    await this.#write(fence, first, (known) => {
      const rows = new Map(known.map((entry) => [rowKeyOf(entry), entry]));
      for (const entry of entries) {
        const key = rowKeyOf(entry);
        // Given up since the run was decided: written down again, nobody would ever take it out.
        if (entry.state === 'removing' && !rows.has(key)) continue;
        rows.set(key, begunEntry(rows.get(key), entry, this.#now()));
      }
      return [...rows.values()];
    });
    // What is new has no version and no epoch that could refuse it. Whoever stood still before it was created, and comes back
    // when another leader has come and gone over everything, puts nothing anywhere: what it created is found by that leader.
    assertFence(fence);
  }

  /** A target without components of its own is held by what others have there. */
  async #keepTarget({ owner, targetName, targetUid }: LedgerEntry): Promise<void> {
    try {
      await this.options.targets.keep({ namespace: owner.namespace, name: targetName, uid: targetUid });
    } catch (error) {
      if (error instanceof FencedError) throw new TargetGoneError();
      throw error;
    }
  }

  async #write(
    fence: Fence,
    place: LedgerPlace,
    change: (known: LedgerEntry[]) => LedgerEntry[],
  ): Promise<void> {
    await this.#inTurn(place, async () => {
      const { client, cache, assertFence } = this.options;
      assertFence(fence);
      const current = this.#current(place);
      const entries = change(current ? entriesIn(current) : []);
      if (!current) {
        if (entries.length === 0) return;
        const ledger = newLedger(place, fence.epoch, entries);
        cache.seen(await this.#fenced(client.create(LEDGER_TYPE, ledger), ledger, fence.epoch));
      } else if (entries.length === 0) {
        await this.#remove(current, fence.epoch);
      } else {
        const spec = { ...current.spec, epoch: fence.epoch, entries: entries.map(rowOf) };
        const metadata = keptMetadata(current);
        const ledger = { ...current, metadata, spec };
        cache.seen(await this.#fenced(client.replace(LEDGER_TYPE, ledger), ledger, fence.epoch));
      }
    });
  }

  /** Empties it, which lets it go, and has it deleted. In this order an end in between leaves nothing that matters. */
  async #remove(current: LedgerObject, epoch: number): Promise<void> {
    const { client, cache, targets } = this.options;
    const metadata = { ...current.metadata, finalizers: [] };
    const spec = { ...current.spec, epoch, entries: [] };
    const replaced = client.replace(LEDGER_TYPE, { ...current, metadata, spec });
    const emptied = await this.#fenced(replaced, current, epoch);
    cache.seen(emptied);
    if (current.metadata.deletionTimestamp === undefined) {
      const { name, namespace, uid } = emptied.metadata;
      try {
        await client.delete(LEDGER_TYPE, { name, namespace: namespace ?? '' }, { uid: uid ?? '' });
        cache.gone(emptied);
      } catch {
        // What is empty holds nothing back: it is used again, or goes with its owner.
      }
    } else {
      cache.gone(emptied);
    }
    targets.wasLeft(current.spec.targetUid);
  }

  #current({ owner, targetUid }: LedgerPlace): LedgerObject | undefined {
    return this.options.cache.byIndex('owner', owner.uid).find(({ spec }) => spec.targetUid === targetUid);
  }

  #usedBy(targetUid: string): LedgerObject[] {
    return this.options.cache
      .byIndex('target', targetUid)
      .filter(({ spec }) => (spec.entries ?? []).length > 0);
  }

  async #inTurn(place: LedgerPlace, work: () => Promise<void>): Promise<void> {
    const key = JSON.stringify([place.owner.uid, place.targetUid]);
    const before = this.#turns.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = mine.catch(() => undefined);
    this.#turns.set(key, settled);
    try {
      await mine;
    } finally {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    }
  }

  /** Somebody else has written, or a newer leader has taken over: this run is over. */
  async #fenced<T>(write: Promise<T>, ledger: LedgerObject, epoch: number): Promise<T> {
    try {
      return await write;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.options.refused?.(ledger, epoch);
      const fenced = new FencedError();
      fenced.cause = error;
      throw fenced;
    }
  }

  #now(): string {
    return this.options.now?.() ?? new Date().toISOString();
  }
}

/** An empty ledger that could not be deleted has lost its finalizer; with entries in it again it needs one. */
function keptMetadata({ metadata }: LedgerObject): LedgerObject['metadata'] {
  return metadata.deletionTimestamp === undefined
    ? { ...metadata, finalizers: [LEDGER_FINALIZER] }
    : metadata;
}

/** A conflict with another write, or with the epoch that is stored; what is not there was removed by the next leader. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof ConflictError) return error.code !== 'NamespaceTerminating';
  return (
    error instanceof NotFoundError ||
    (error instanceof InvalidInputError && error.problems.some(({ path }) => path.endsWith('epoch')))
  );
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
