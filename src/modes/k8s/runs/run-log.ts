import { createHash } from 'node:crypto';
import { ConflictError, SummaryState, type DeployableKind, type SummaryResult } from '@symphony/model';
import pLimit from 'p-limit';
import type { Claim, RunRecord, SummaryWrite } from '../../../modules/queue/index.js';
import { apiVersionOf, type ApiClient, type KubeObject, type ResourceType } from '../client/index.js';
import { RUN_HISTORIES, type RecordOwner, type RunHistorySpec } from '../crds/index.js';
import { typeOf } from '../objects/custom-object.js';

export interface RunHistoryObject extends KubeObject {
  spec: Omit<RunHistorySpec, 'summary'> & { summary?: StoredSummary };
}

/** A summary with the key that it is asked for by. */
export interface StoredSummary extends SummaryResult {
  key: string;
}

export const RUN_HISTORY_TYPE: ResourceType<RunHistoryObject> = {
  group: RUN_HISTORIES.group,
  version: 'v1',
  plural: RUN_HISTORIES.plural,
  kind: RUN_HISTORIES.kind,
  namespaced: true,
};

/** What one object's history may take, in bytes of JSON. */
const MAX_BYTES = 256 * 1024;
const MAX_RUNS = 50;
/** Histories that are kept here after they were written, for objects that come again soon. */
const MAX_KEPT = 10_000;
const WRITES_AT_ONCE = 4;

/** What this process knows of an object's runs beyond what is stored. */
export interface RunLogEntry {
  owner: RecordOwner;
  /** The newest first. */
  runs: RunRecord[];
  summary?: StoredSummary;
}

export interface RunLogOptions {
  client: Pick<ApiClient, 'patch'>;
  cache: { byIndex(index: 'owner', uid: string): RunHistoryObject[] };
  warn(message: string, error: unknown): void;
  /** Least time between two writes of one object's history. Default 5 000 ms. */
  everyMs?: number;
}

/**
 * The runs that this process has carried out. They are written to one bounded object for each owner, some seconds later and
 * as far as it goes: nothing is ever decided by them, and no run waits for it.
 */
export class RunLog {
  readonly #entries = new Map<string, RunLogEntry>();
  readonly #byKey = new Map<string, string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #writes = pLimit(WRITES_AT_ONCE);

  constructor(private readonly options: RunLogOptions) {}

  entryOf(ownerUid: string): RunLogEntry | undefined {
    return this.#entries.get(ownerUid);
  }

  /** @param key as `SummaryWrite.key` */
  entryByKey(namespace: string, key: string): RunLogEntry | undefined {
    const uid = this.#byKey.get(keyText(namespace, key));
    return uid === undefined ? undefined : this.#entries.get(uid);
  }

  /** Goes on from what is stored, when this process has carried out no run of that object. */
  adopt(stored: RunHistoryObject): RunLogEntry {
    const { owner } = stored.spec;
    const known = this.#entries.get(owner.uid);
    if (known) return known;
    const entry: RunLogEntry = { owner, ...contentOf(stored) };
    this.#entries.set(owner.uid, entry);
    if (entry.summary) this.#byKey.set(keyText(owner.namespace, entry.summary.key), owner.uid);
    this.#forgetOldest();
    return entry;
  }

  add(
    claim: Claim,
    ownerUid: string,
    { record, summary }: { record?: RunRecord; summary?: SummaryWrite },
    state: SummaryState = SummaryState.Done,
  ): void {
    const { kind, namespace, name } = claim;
    const owner: RecordOwner = { kind: claim.payload ? 'Inline' : kind, namespace, name, uid: ownerUid };
    const entry = this.#entry(owner);
    if (record) entry.runs = [record, ...entry.runs.filter(({ id }) => id !== record.id)].slice(0, MAX_RUNS);
    if (summary) {
      entry.summary = {
        key: summary.key,
        summaryid: summary.key,
        summary: summary.summary,
        generation: summary.generation,
        deploymentHash: summary.deploymentHash,
        time: new Date().toISOString(),
        state,
      };
      this.#byKey.set(keyText(namespace, summary.key), ownerUid);
    }
    if (state === SummaryState.Done) this.#writeSoon(ownerUid);
  }

  /** Writes what waits, now. */
  async flush(): Promise<void> {
    const waiting = [...this.#timers.keys()];
    await Promise.all(waiting.map((uid) => this.write(uid)));
  }

  async write(ownerUid: string): Promise<void> {
    clearTimeout(this.#timers.get(ownerUid));
    this.#timers.delete(ownerUid);
    const entry = this.#entries.get(ownerUid);
    if (!entry) return;
    try {
      await this.#writes(() =>
        this.options.client.patch(
          RUN_HISTORY_TYPE,
          { namespace: entry.owner.namespace, name: nameOf(ownerUid) },
          { kind: 'apply', body: objectOf(entry), fieldManager: 'symphony-engine', force: true },
        ),
      );
    } catch (error) {
      // With its namespace the history goes as well.
      if (error instanceof ConflictError && error.code === 'NamespaceTerminating') return;
      this.options.warn('The history of runs could not be written', error);
    }
  }

  /** Ends what is planned; what was not written is lost. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #entry(owner: RecordOwner): RunLogEntry {
    const known = this.#entries.get(owner.uid);
    if (known) return known;
    const [stored] = this.options.cache.byIndex('owner', owner.uid);
    if (stored) return this.adopt(stored);
    const entry: RunLogEntry = { owner, runs: [] };
    this.#entries.set(owner.uid, entry);
    this.#forgetOldest();
    return entry;
  }

  #forgetOldest(): void {
    if (this.#entries.size <= MAX_KEPT) return;
    for (const [uid, { owner, summary }] of this.#entries) {
      if (this.#timers.has(uid)) continue;
      this.#entries.delete(uid);
      if (summary) this.#byKey.delete(keyText(owner.namespace, summary.key));
      return;
    }
  }

  #writeSoon(ownerUid: string): void {
    if (this.#timers.has(ownerUid)) return;
    const timer = setTimeout(() => void this.write(ownerUid), this.options.everyMs ?? 5_000);
    timer.unref();
    this.#timers.set(ownerUid, timer);
  }
}

/** What a stored history says. */
export function contentOf({ spec }: RunHistoryObject): { runs: RunRecord[]; summary?: StoredSummary } {
  const { owner, runs = [], summary } = spec;
  return {
    runs: runs.map((run) => ({ ...run, objectUid: owner.uid }) as RunRecord),
    ...(summary ? { summary } : {}),
  };
}

export function keyText(namespace: string, key: string): string {
  return `${namespace}/${key}`;
}

function nameOf(ownerUid: string): string {
  return `runs-${createHash('sha256').update(ownerUid).digest('hex').slice(0, 32)}`;
}

function objectOf({ owner, runs, summary }: RunLogEntry): RunHistoryObject {
  const kept = runs.map(({ objectUid: _owner, ...run }) => run);
  const object = (): RunHistoryObject => ({
    metadata: {
      name: nameOf(owner.uid),
      namespace: owner.namespace,
      ...(owner.kind === 'Inline' ? {} : { ownerReferences: [referenceTo(owner, owner.kind)] }),
    },
    spec: { owner, runs: kept, ...(summary ? { summary } : {}) },
  });
  while (kept.length > 1 && Buffer.byteLength(JSON.stringify(kept)) > MAX_BYTES) {
    kept.length = Math.ceil(kept.length / 2);
  }
  return object();
}

function referenceTo({ name, uid }: RecordOwner, kind: DeployableKind) {
  return { apiVersion: apiVersionOf(typeOf(kind)), kind, name, uid, blockOwnerDeletion: false };
}
