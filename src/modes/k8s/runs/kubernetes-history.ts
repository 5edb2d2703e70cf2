import { InvalidInputError, type SummaryResult } from '@symphony/model';
import { SummaryStore, type RunRecord } from '../../../modules/queue/index.js';
import { RunHistory, type RunPage } from '../../../modules/solution/index.js';
import { contentOf, keyText, type RunHistoryObject, type RunLog } from './run-log.js';

/** The stored histories as they were last seen. */
export interface HistoryCache {
  byIndex(index: 'owner' | 'summary', value: string): RunHistoryObject[];
}

/** Runs of this process, else those that were written by whichever. */
export class KubernetesRunHistory extends RunHistory {
  constructor(
    private readonly log: RunLog,
    private readonly cache: HistoryCache,
  ) {
    super();
  }

  override list(objectUid: string, limit: number, after?: string): Promise<RunPage> {
    return new Promise((resolve) => {
      const runs = this.#runsOf(objectUid);
      const from = after === undefined ? 0 : runs.findIndex(({ id }) => id === after) + 1;
      if (after !== undefined && from === 0) throw staleToken();
      const items = runs.slice(from, from + limit);
      const last = items.at(-1);
      resolve(last && from + limit < runs.length ? { items, next: last.id } : { items });
    });
  }

  override get(objectUid: string, runId: string): Promise<RunRecord | undefined> {
    return Promise.resolve(this.#runsOf(objectUid).find(({ id }) => id === runId));
  }

  /** The objects are bounded as they are written. */
  override prune(): Promise<number> {
    return Promise.resolve(0);
  }

  #runsOf(objectUid: string): RunRecord[] {
    const entry = this.log.entryOf(objectUid);
    if (entry) return entry.runs;
    const [stored] = this.cache.byIndex('owner', objectUid);
    return stored ? contentOf(stored).runs : [];
  }
}

export class KubernetesSummaries extends SummaryStore {
  constructor(
    private readonly log: RunLog,
    private readonly cache: HistoryCache,
  ) {
    super();
  }

  override get(namespace: string, key: string): Promise<SummaryResult | undefined> {
    const [stored] = this.cache.byIndex('summary', keyText(namespace, key));
    const found = this.log.entryByKey(namespace, key)?.summary ?? (stored && contentOf(stored).summary);
    if (!found) return Promise.resolve(undefined);
    const { key: _key, ...summary } = found;
    return Promise.resolve(summary);
  }

  override async softDelete(namespace: string, key: string): Promise<boolean> {
    const [stored] = this.cache.byIndex('summary', keyText(namespace, key));
    const entry = this.log.entryByKey(namespace, key) ?? (stored && this.log.adopt(stored));
    if (!entry?.summary) return false;
    entry.summary = { ...entry.summary, summary: { ...entry.summary.summary, removed: true } };
    await this.log.write(entry.owner.uid);
    return true;
  }
}

function staleToken(): InvalidInputError {
  return new InvalidInputError(
    'The continue token is not one that this list gave out, or its run is pruned by now; start again without it.',
    [{ path: 'continue', message: 'must be the value of X-Continue of the page before' }],
  );
}
