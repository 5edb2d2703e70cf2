import { createHash } from 'node:crypto';
import type { DeployableKind, SummaryResult } from '@symphony/model';
import type { RunRecord } from '../../../modules/queue/index.js';
import { apiVersionOf, type KubeObject, type ResourceType } from '../client/index.js';
import { RUN_HISTORIES, type RecordOwner, type RunHistorySpec } from '../crds/index.js';
import { typeOf } from '../objects/custom-object.js';

export interface RunHistoryObject extends KubeObject {
  spec: Omit<RunHistorySpec, 'summary'> & { summary?: StoredSummary };
}

/** A summary with the key that it is asked for by. */
export interface StoredSummary extends SummaryResult {
  key: string;
}

/** What is known of one object's runs. */
export interface HistoryContent {
  /** The newest first. */
  runs: RunRecord[];
  summary?: StoredSummary;
}

export const RUN_HISTORY_TYPE: ResourceType<RunHistoryObject> = {
  group: RUN_HISTORIES.group,
  version: 'v1',
  plural: RUN_HISTORIES.plural,
  kind: RUN_HISTORIES.kind,
  namespaced: true,
};

export const HISTORY_INDEXES = {
  owner: ({ spec }: RunHistoryObject): string[] => [spec.owner.uid],
  summary: ({ metadata, spec: { summary } }: RunHistoryObject): string[] =>
    summary ? [keyText(metadata.namespace ?? '', summary.key)] : [],
};

/** What one object's history may take, in bytes of JSON. */
const MAX_BYTES = 256 * 1024;
/** What one object's history may have of its runs. */
export const MAX_RUNS = 50;

/** What a stored history says. */
export function contentOf({ spec }: RunHistoryObject): HistoryContent {
  const { owner, runs = [], summary } = spec;
  return {
    runs: runs.map((run) => ({ ...run, objectUid: owner.uid }) as RunRecord),
    ...(summary ? { summary } : {}),
  };
}

/** What of a stored history is kept in memory: whose it is, and what it ends with. */
export function brief(object: RunHistoryObject): RunHistoryObject {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const { owner, runs = [], summary } = object.spec;
  return {
    metadata: { name, namespace, uid, resourceVersion },
    spec: {
      owner,
      runs: runs.slice(0, 1).map(({ steps: _steps, ...run }) => run),
      ...(summary ? { summary: { ...summary, summary: { ...summary.summary, targets: {} } } } : {}),
    },
  };
}

/** Newer runs before those that are stored. The newer summary counts. */
export function merged(newer: HistoryContent, stored: HistoryContent | undefined): HistoryContent {
  if (!stored) return newer;
  const ids = new Set(newer.runs.map(({ id }) => id));
  const runs = [...newer.runs, ...stored.runs.filter(({ id }) => !ids.has(id))];
  const summary = newer.summary ?? stored.summary;
  return { runs: runs.slice(0, MAX_RUNS), ...(summary ? { summary } : {}) };
}

export function historyNameOf(ownerUid: string): string {
  return `runs-${createHash('sha256').update(ownerUid).digest('hex').slice(0, 32)}`;
}

/** As it is stored: the oldest runs are left out where it would become too large. */
export function historyObject(owner: RecordOwner, { runs, summary }: HistoryContent): RunHistoryObject {
  const kept = runs.map(({ objectUid: _owner, ...run }) => run);
  while (kept.length > 1 && Buffer.byteLength(JSON.stringify(kept)) > MAX_BYTES) {
    kept.length = Math.ceil(kept.length / 2);
  }
  return {
    metadata: {
      name: historyNameOf(owner.uid),
      namespace: owner.namespace,
      ...(owner.kind === 'Inline' ? {} : { ownerReferences: [referenceTo(owner, owner.kind)] }),
    },
    spec: { owner, runs: kept, ...(summary ? { summary } : {}) },
  };
}

/** How summaries are found. @param key as `SummaryWrite.key` */
export function keyText(namespace: string, key: string): string {
  return `${namespace}/${key}`;
}

function referenceTo({ name, uid }: RecordOwner, kind: DeployableKind) {
  return { apiVersion: apiVersionOf(typeOf(kind)), kind, name, uid, blockOwnerDeletion: false };
}
