import { ConflictError, NotFoundError, type DeploymentOwner, type LedgerEntry } from '@symphony/model';
import { FencedError, type Fence } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { typeOf } from '../objects/custom-object.js';
import { unlessMissing } from '../objects/readable.js';
import {
  entriesIn,
  LEDGER_TYPE,
  ledgerNameKey,
  newLedger,
  rowOf,
  type LedgerIndex,
  type LedgerObject,
  type LedgerPlace,
} from './ledger-object.js';

/** Clocks of the engine and of the API server may differ by this much. */
const SKEW_MS = 60_000;

export interface ReattachOptions {
  client: Pick<ApiClient, 'get' | 'create' | 'replace' | 'delete'>;
  cache: {
    byIndex(index: LedgerIndex, value: string): LedgerObject[];
    seen(object: LedgerObject): void;
    gone(object: LedgerObject): void;
  };
  /** @throws FencedError when the run has lost its lane, or this replica does not lead any more */
  assertFence: (fence: Fence) => void;
  /** Sees to it that the object of an owner cannot go unnoticed. @throws FencedError when it is going already */
  keepOwner: (owner: DeploymentOwner) => Promise<void>;
  /** Whether ledgers on such a target are to follow it: not those of posted deployments, nor of one that is there. */
  isLost: (targetUid: string) => boolean;
  now?: () => string;
}

/**
 * Ledgers of objects that were restored from a backup name owners and targets by uids that nobody has any more. They are
 * given to the objects of the same names, before anything is decided for these: else what is deployed for them would be
 * created once more, or never be removed.
 *
 * A ledger is copied and the old one let go, since the old one may be about to be collected as garbage: its owner reference
 * names nobody. An end in between leaves both; the next run finishes it.
 */
export class Reattachment {
  constructor(private readonly options: ReattachOptions) {}

  /** What was recorded for an object of that name with another uid. */
  straysOf({ kind, namespace, name, uid }: DeploymentOwner): LedgerObject[] {
    return this.options.cache
      .byIndex('name', ledgerNameKey({ kind, namespace, name }))
      .filter(({ spec }) => spec.owner.uid !== uid && isUsed(spec));
  }

  /**
   * Gives an owner its ledgers, at the beginning of one of its runs.
   * @param owner as it was just read live, so that nobody else has its name
   * @throws FencedError when somebody else has written: the next run looks again
   */
  async attach(owner: DeploymentOwner, fence: Fence): Promise<void> {
    for (const ledger of this.options.cache.byIndex('name', ledgerNameKey(owner))) {
      if (!isUsed(ledger.spec)) continue;
      const place = await this.#placeNow(owner, ledger);
      if (place) await this.#move(ledger, place, fence);
    }
  }

  /** Undefined when it is where it belongs. */
  async #placeNow(owner: DeploymentOwner, { spec }: LedgerObject): Promise<LedgerPlace | undefined> {
    const { targetUid, targetName, knownAs } = spec;
    const target = await this.#targetNow(owner, spec);
    if (spec.owner.uid === owner.uid && targetUid === target) return undefined;
    const marks = knownAs ?? { owner: spec.owner.uid, target: targetUid };
    return { owner, targetUid: target, targetName, knownAs: marks };
  }

  async #targetNow(owner: DeploymentOwner, spec: LedgerObject['spec']): Promise<string> {
    const { targetUid, targetName } = spec;
    if (owner.kind === 'Target' && targetUid === spec.owner.uid) return owner.uid;
    const { client, isLost } = this.options;
    if (!isLost(targetUid)) return targetUid;
    const ref = { namespace: owner.namespace, name: targetName };
    const target = await unlessMissing(client.get(typeOf('Target'), ref));
    // Without one the ledger keeps the uid that it has: the target may be restored later.
    return target?.metadata.uid ?? targetUid;
  }

  async #move(ledger: LedgerObject, place: LedgerPlace, fence: Fence): Promise<void> {
    const { client, cache, assertFence, keepOwner } = this.options;
    await keepOwner(place.owner);
    assertFence(fence);
    const moved = entriesIn(ledger).map((entry) => ({ ...entry, ...place, updatedAt: this.#now() }));
    const there = cache
      .byIndex('owner', place.owner.uid)
      .find(
        ({ metadata, spec }) => spec.targetUid === place.targetUid && metadata.uid !== ledger.metadata.uid,
      );
    const written = there
      ? client.replace(LEDGER_TYPE, joined(there, moved, place, fence))
      : client.create(LEDGER_TYPE, newLedger(place, fence.epoch, moved));
    cache.seen(await orFenced(written));
    assertFence(fence);
    await this.#letGo(ledger, fence);
  }

  /** Its epoch may be higher than ours: it may come from another cluster, whose leaders were more. */
  async #letGo(ledger: LedgerObject, { epoch }: Fence): Promise<void> {
    const { client, cache } = this.options;
    const spec = { ...ledger.spec, epoch: Math.max(epoch, ledger.spec.epoch), entries: [] };
    const metadata = { ...ledger.metadata, finalizers: [] };
    const emptied = await orFenced(client.replace(LEDGER_TYPE, { ...ledger, metadata, spec }));
    cache.seen(emptied);
    const { name, namespace = '', uid = '' } = emptied.metadata;
    try {
      if (ledger.metadata.deletionTimestamp === undefined)
        await client.delete(LEDGER_TYPE, { name, namespace }, { uid });
    } catch (error) {
      // What is empty says nothing any more, and goes with the namespace at the latest.
      if (!(error instanceof NotFoundError)) return;
    }
    cache.gone(emptied);
  }

  #now(): string {
    return this.options.now?.() ?? new Date().toISOString();
  }
}

/**
 * Whether a ledger came from a backup: it is younger than what it says. One whose owner is not there then waits for it, and is
 * not taken for one that was left behind. One that a deposed leader created too late has nothing that was ever confirmed.
 */
export function isRestored({ metadata, spec: { entries = [] } }: LedgerObject): boolean {
  if (!entries.some(({ digest }) => digest !== '')) return false;
  const written = entries.map(({ updatedAt }) => Date.parse(updatedAt));
  return Date.parse(metadata.creationTimestamp ?? '') > Math.max(...written) + SKEW_MS;
}

/** What is there counts, since it is newer; what it does not have is added. */
function joined(
  there: LedgerObject,
  moved: readonly LedgerEntry[],
  { knownAs }: LedgerPlace,
  fence: Fence,
): LedgerObject {
  const { entries: known = [], ...rest } = there.spec;
  const keys = new Set(known.map(({ key }) => key));
  const added = moved.map(rowOf).filter(({ key }) => !keys.has(key));
  // Marks of its own count as soon as something was made with them.
  const own = known.some(({ digest }) => digest !== '');
  const marks = own || !knownAs ? {} : { knownAs };
  return { ...there, spec: { ...rest, ...marks, epoch: fence.epoch, entries: [...known, ...added] } };
}

function isUsed({ entries = [] }: LedgerObject['spec']): boolean {
  return entries.length > 0;
}

async function orFenced<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    const isOver =
      error instanceof NotFoundError ||
      (error instanceof ConflictError && error.code !== 'NamespaceTerminating');
    if (!isOver) throw error;
    throw Object.assign(new FencedError(), { cause: error });
  }
}
