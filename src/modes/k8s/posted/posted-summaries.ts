import { SummaryState, type SummaryResult } from '@symphony/model';
import { SummaryStore } from '../../../modules/queue/index.js';
import type { PostedObject } from './posted-object.js';

/** Of records, by `summaryIndexOf`. */
export function summaryIndexOf(namespace: string, key: string): string {
  return `${namespace}/${key}`;
}

/**
 * Summaries with those of posted deployments: their records have them as soon as the run has ended, on every replica, while
 * histories come some seconds later, if at all.
 */
export class PostedSummaries extends SummaryStore {
  constructor(
    private readonly others: SummaryStore,
    private readonly cache: { byIndex(index: 'summary', value: string): PostedObject[] },
  ) {
    super();
  }

  override async get(namespace: string, key: string): Promise<SummaryResult | undefined> {
    const other = await this.others.get(namespace, key);
    const [record] = this.cache.byIndex('summary', summaryIndexOf(namespace, key));
    const posted = record && summaryOf(record);
    if (!posted || !other) return posted ?? other;
    // What is marked as removed is marked in the history, which is written after the record.
    return Date.parse(posted.time) > Date.parse(other.time) ? posted : other;
  }

  override softDelete(namespace: string, key: string): Promise<boolean> {
    return this.others.softDelete(namespace, key);
  }
}

function summaryOf({ spec: { last } }: PostedObject): SummaryResult | undefined {
  if (!last?.summary) return undefined;
  const { summary, summaryKey = '', generation = '', deploymentHash = '', endedAt } = last;
  return {
    summary,
    summaryid: summaryKey,
    generation,
    deploymentHash,
    time: endedAt,
    state: SummaryState.Done,
  };
}
