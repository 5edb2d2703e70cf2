import {
  InvalidInputError,
  TARGET_RUNTIME_PREFIX,
  type DeployableKind,
  type SummaryResult,
} from '@symphony/model';
import { SummaryStore, type RunRecord } from '../../../modules/queue/index.js';
import { RunHistory, type RunPage } from '../../../modules/solution/index.js';
import type { ObjectRef } from '../client/index.js';
import { toStored, type CustomObject } from '../objects/custom-object.js';
import type { RunLog } from './run-log.js';
import { summaryOfStatus } from './summary-of-status.js';

/** Runs of this process that are not stored yet, then those that are, whoever has written them. */
export class KubernetesRunHistory extends RunHistory {
  constructor(private readonly log: Pick<RunLog, 'runsOf'>) {
    super();
  }

  override async list(objectUid: string, limit: number, after?: string): Promise<RunPage> {
    const runs = await this.log.runsOf(objectUid);
    const from = after === undefined ? 0 : runs.findIndex(({ id }) => id === after) + 1;
    if (after !== undefined && from === 0) throw staleToken();
    const items = runs.slice(from, from + limit);
    const last = items.at(-1);
    return last && from + limit < runs.length ? { items, next: last.id } : { items };
  }

  override async get(objectUid: string, runId: string): Promise<RunRecord | undefined> {
    return (await this.log.runsOf(objectUid)).find(({ id }) => id === runId);
  }

  /** The objects are bounded as they are written. */
  override prune(): Promise<number> {
    return Promise.resolve(0);
  }
}

/** An object as it was last seen. */
type Seen = (kind: DeployableKind, ref: ObjectRef) => CustomObject<DeployableKind> | undefined;

/** The newest outcomes: of this process, else as they are stored, else as the objects' statuses tell them. */
export class KubernetesSummaries extends SummaryStore {
  constructor(
    private readonly log: Pick<RunLog, 'summaryOf' | 'markRemoved'>,
    private readonly seen: Seen,
  ) {
    super();
  }

  override async get(namespace: string, key: string): Promise<SummaryResult | undefined> {
    const found = await this.log.summaryOf(namespace, key);
    const told = this.#told(namespace, key);
    // What was written last may be older than what came after it and went well.
    if (!found || (told && !found.summary.removed && Date.parse(told.time) > Date.parse(found.time)))
      return told;
    const { key: _key, ...summary } = found;
    return summary;
  }

  override softDelete(namespace: string, key: string): Promise<boolean> {
    return this.log.markRemoved(namespace, key);
  }

  #told(namespace: string, key: string): SummaryResult | undefined {
    const isTarget = key.startsWith(TARGET_RUNTIME_PREFIX);
    const kind = isTarget ? 'Target' : 'Instance';
    const object = this.seen(kind, {
      namespace,
      name: isTarget ? key.slice(TARGET_RUNTIME_PREFIX.length) : key,
    });
    return object && summaryOfStatus(toStored<DeployableKind>(kind, object), key);
  }
}

function staleToken(): InvalidInputError {
  return new InvalidInputError(
    'The continue token is not one that this list gave out, or its run is pruned by now; start again without it.',
    [{ path: 'continue', message: 'must be the value of X-Continue of the page before' }],
  );
}
