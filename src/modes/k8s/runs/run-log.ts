import { SummaryState, SymphonyError, type DeployableKind } from '@symphony/model';
import pLimit from 'p-limit';
import type { Claim, RunRecord, SummaryWrite } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import type { RecordOwner } from '../crds/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import { unlessMissing } from '../objects/readable.js';
import type { Reflector } from '../reflector/index.js';
import {
  contentOf,
  historyNameOf,
  historyObject,
  keyText,
  MAX_RUNS,
  merged,
  RUN_HISTORY_TYPE,
  type HistoryContent,
  type RunHistoryObject,
  type StoredSummary,
} from './history-object.js';

/** Runs of one object that may wait to be written; then they are, whatever became of them. */
const MAX_UNWRITTEN = 10;
/** Objects with runs that wait to be written; then the oldest is. */
const MAX_OWNERS = 10_000;
const WRITES_AT_ONCE = 8;
const SOON_MS = 5_000;
const FLUSH_MS = 5_000;

/** What waits to be written of one object's runs. */
interface Unwritten extends HistoryContent {
  owner: RecordOwner;
  /** Set while a write is planned. */
  timer?: NodeJS.Timeout | undefined;
  /** What was deployed is removed: the object goes, and what is stored of it goes with it. */
  gone: boolean;
  /** The server takes nothing of it, because its namespace is going or has gone: it is kept while its object stands. */
  unwritable?: boolean;
}

export interface RunLogOptions {
  client: Pick<ApiClient, 'get' | 'patch'>;
  /** The stored histories as they were last seen, in brief. */
  cache: {
    byIndex(index: 'owner' | 'summary', value: string): RunHistoryObject[];
    /** Whether what is stored in a namespace is known, and heard of, at this moment. */
    follows(namespace: string): boolean;
  };
  /** The objects whose runs these are, as they were last seen. */
  objects: {
    of(kind: DeployableKind): Pick<Reflector<CustomObject<DeployableKind>>, 'byUid' | 'onChange'>;
  };
  warn(message: string, error: unknown): void;
  /** From something worth writing until it is written, in milliseconds. Default 5 000. */
  soonMs?: number;
}

/**
 * The runs that this process has carried out, as far as they are not stored yet, and those that are.
 *
 * Nothing is ever decided by them, and no run waits for them to be written; so an object that is well costs no write of its
 * history. One is made when there is news: something failed, fails for another reason, or is well again; when ten runs have
 * gathered; and when the leadership ends. What a crash loses are the runs since then.
 */
export class RunLog {
  readonly #unwritten = new Map<string, Unwritten>();
  readonly #byKey = new Map<string, string>();
  readonly #writes = pLimit(WRITES_AT_ONCE);

  constructor(private readonly options: RunLogOptions) {
    for (const kind of ['Target', 'Instance'] as const) {
      options.objects.of(kind).onChange(({ before, after }) => {
        if (before && !after) this.#ownerWent(before.metadata.uid ?? '');
      });
    }
  }

  add(
    claim: Claim,
    ownerUid: string,
    { record, summary }: { record?: RunRecord; summary?: SummaryWrite },
    state: SummaryState = SummaryState.Done,
  ): void {
    const { kind, namespace, name } = claim;
    const owner: RecordOwner = { kind: claim.payload ? 'Inline' : kind, namespace, name, uid: ownerUid };
    const entry = this.#entryOf(owner);
    const before = entry.runs[0]?.reason ?? this.#stored(ownerUid)?.spec.runs?.[0]?.reason;
    if (record) {
      const others = entry.runs.filter(({ id }) => id !== record.id);
      entry.runs = [record, ...others].slice(0, MAX_RUNS);
    }
    if (summary) this.#summarize(entry, summary, state);
    if (!record) return;
    entry.gone = owner.kind !== 'Inline' && record.result === 'removed';
    if (isNews(before, record) || entry.runs.length >= MAX_UNWRITTEN) this.#writeSoon(entry);
  }

  /** All known runs of an object. */
  async runsOf(ownerUid: string): Promise<RunRecord[]> {
    return (await this.#contentOf(ownerUid))?.runs ?? [];
  }

  /** @param key as `SummaryWrite.key` */
  async summaryOf(namespace: string, key: string): Promise<StoredSummary | undefined> {
    const ownerUid = this.#ownerOf(namespace, key);
    if (ownerUid === undefined) return undefined;
    const { summary } = (await this.#contentOf(ownerUid)) ?? {};
    return summary?.key === key ? summary : undefined;
  }

  /** Marks a summary as removed, and stores that. @returns false when there is none */
  async markRemoved(namespace: string, key: string): Promise<boolean> {
    const summary = await this.summaryOf(namespace, key);
    const ownerUid = this.#ownerOf(namespace, key);
    if (!summary || ownerUid === undefined) return false;
    const owner = this.#unwritten.get(ownerUid)?.owner ?? this.#stored(ownerUid)?.spec.owner;
    if (!owner) return false;
    this.#entryOf(owner).summary = { ...summary, summary: { ...summary.summary, removed: true } };
    await this.write(ownerUid);
    return true;
  }

  /** Writes all that waits, for some seconds at most. What is left then stays in memory. */
  async flush(): Promise<void> {
    const until = performance.now() + FLUSH_MS;
    let late = 0;
    const waiting = [...this.#unwritten.keys()].map((uid) =>
      this.#writes(() => (performance.now() < until ? this.#write(uid) : void (late += 1))),
    );
    await Promise.all(waiting);
    if (late > 0)
      this.options.warn('Not all of the history of runs was written', new Error(`${late} objects are left`));
  }

  write(ownerUid: string): Promise<void> {
    return this.#writes(() => this.#write(ownerUid));
  }

  /** Ends what is planned; what was not written is lost. */
  close(): void {
    for (const entry of this.#unwritten.values()) clearTimeout(entry.timer);
  }

  #entryOf(owner: RecordOwner): Unwritten {
    const known = this.#unwritten.get(owner.uid);
    if (known) return known;
    const entry: Unwritten = { owner, runs: [], gone: false };
    this.#unwritten.set(owner.uid, entry);
    this.#boundMemory();
    return entry;
  }

  #summarize(
    entry: Unwritten,
    { key, summary, generation, deploymentHash }: SummaryWrite,
    state: SummaryState,
  ): void {
    const time = new Date().toISOString();
    entry.summary = { key, summaryid: key, summary, generation, deploymentHash, time, state };
    this.#byKey.set(keyText(entry.owner.namespace, key), entry.owner.uid);
  }

  #ownerOf(namespace: string, key: string): string | undefined {
    const text = keyText(namespace, key);
    return this.#byKey.get(text) ?? this.options.cache.byIndex('summary', text)[0]?.spec.owner.uid;
  }

  #stored(ownerUid: string): RunHistoryObject | undefined {
    return this.options.cache.byIndex('owner', ownerUid)[0];
  }

  async #contentOf(ownerUid: string): Promise<HistoryContent | undefined> {
    const known = this.#stored(ownerUid);
    const stored = known && (await this.#read(known.spec.owner));
    const entry = this.#unwritten.get(ownerUid);
    return entry ? merged(entry, stored) : stored;
  }

  async #read({ namespace, uid }: RecordOwner): Promise<HistoryContent | undefined> {
    const name = historyNameOf(uid);
    const object = await unlessMissing(this.options.client.get(RUN_HISTORY_TYPE, { namespace, name }));
    return object && contentOf(object);
  }

  async #write(ownerUid: string): Promise<void> {
    const entry = this.#unwritten.get(ownerUid);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.gone) return;
    const { owner } = entry;
    try {
      // In doubt it is read: what is stored must not be replaced by less.
      const isNew = this.options.cache.follows(owner.namespace) && !this.#stored(ownerUid);
      const stored = isNew ? undefined : await this.#read(owner);
      const newest = entry.runs[0];
      const summary = entry.summary;
      const body = historyObject(owner, merged(entry, stored));
      const ref = { namespace: owner.namespace, name: historyNameOf(ownerUid) };
      const patch = { kind: 'apply', body, fieldManager: 'symphony-engine', force: true } as const;
      await this.options.client.patch(RUN_HISTORY_TYPE, ref, patch);
      // The object may have gone meanwhile, and its runs with it.
      const hasAll = entry.runs.length === 0 || entry.runs[0] === newest;
      if (hasAll && entry.summary === summary) this.#forget(entry);
    } catch (error) {
      if (!isForItsNamespace(error)) {
        this.options.warn('The history of runs could not be written', error);
        return;
      }
      entry.unwritable = true;
      if (!this.#stands(owner)) this.#forget(entry);
    }
  }

  /** Whether somebody can still ask for its runs; those of posted deployments are told from their records. */
  #stands({ kind, uid }: RecordOwner): boolean {
    return kind !== 'Inline' && this.options.objects.of(kind).byUid(uid) !== undefined;
  }

  /** Its runs are asked for by its name, so nobody can any more; how it ended can be asked for in the queue. */
  #ownerWent(uid: string): void {
    const entry = this.#unwritten.get(uid);
    if (!entry) return;
    if (entry.unwritable || !entry.summary) this.#forget(entry);
    else entry.runs = [];
  }

  /** What was written is read from where it is stored. */
  #forget(entry: Unwritten): void {
    const { owner, summary } = entry;
    clearTimeout(entry.timer);
    if (this.#unwritten.get(owner.uid) === entry) this.#unwritten.delete(owner.uid);
    const key = keyText(owner.namespace, summary?.key ?? '');
    // What was made anew under the name has the same key.
    if (this.#byKey.get(key) === owner.uid) this.#byKey.delete(key);
  }

  #boundMemory(): void {
    if (this.#unwritten.size <= MAX_OWNERS) return;
    for (const entry of this.#unwritten.values()) {
      if (entry.timer || entry.unwritable) continue;
      if (entry.gone) this.#forget(entry);
      else this.#writeSoon(entry);
      return;
    }
  }

  #writeSoon(entry: Unwritten): void {
    if (entry.timer) return;
    const write = (): void => void this.write(entry.owner.uid);
    entry.timer = setTimeout(write, this.options.soonMs ?? SOON_MS).unref();
  }
}

function isForItsNamespace(error: unknown): boolean {
  return error instanceof SymphonyError && ['NamespaceTerminating', 'NamespaceNotFound'].includes(error.code);
}

/** @param before the reason of the run before; undefined when none is known */
function isNews(before: string | undefined, { result, reason }: RunRecord): boolean {
  if (result === 'removed' || result === 'yielded') return false;
  return result === 'succeeded' ? before !== undefined && !isWell(before) : before !== reason;
}

/** The reasons that a run that went well may have. */
function isWell(reason: string): boolean {
  return ['Succeeded', 'UpToDate', 'DryRun', 'Inactive'].includes(reason);
}
