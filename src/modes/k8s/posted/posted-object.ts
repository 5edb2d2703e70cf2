import { createHash } from 'node:crypto';
import { beginningOf, REASONS, SymphonyError, type ReasonCode, type SummarySpec } from '@symphony/model';
import {
  hasRun,
  type Claim,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type RunOutcome,
} from '../../../modules/queue/index.js';
import type { KubeObject, ObjectRef, ResourceType } from '../client/index.js';
import { POSTED_DEPLOYMENTS, type PostedDeploymentSpec, type PostedRun } from '../crds/index.js';
import type { KnownPosted } from '../lanes/index.js';
import { slug } from '../ledger/ledger-object.js';
import { DELETION_POLICY } from '../objects/kubernetes-object-store.js';

/** The newest deployment that was posted under one name. */
export interface PostedObject extends KubeObject {
  spec: Omit<PostedDeploymentSpec, 'last'> & { last?: EndedRun };
}

interface EndedRun extends Omit<PostedRun, 'summary'> {
  summary?: SummarySpec;
}

/** A payload that says which order of its record it is. */
interface NumberedPayload extends InlinePayload {
  seq: number;
}

export const POSTED_TYPE: ResourceType<PostedObject> = {
  group: POSTED_DEPLOYMENTS.group,
  version: 'v1',
  plural: POSTED_DEPLOYMENTS.plural,
  kind: POSTED_DEPLOYMENTS.kind,
  namespaced: true,
};

/** Keeps a record that is deleted, by hand or with its namespace, until what was deployed is gone. */
export const POSTED_FINALIZER = 'posted.engine.symphony/finalizer';

/** What one may take as it is stored, in bytes. The limit of etcd is 1.5 MiB for the whole object, its outcome included. */
export const MAX_POSTED_BYTES = 1024 * 1024;
const MAX_SUMMARY_BYTES = 256 * 1024;

export function ownerUidOf({ namespace, name }: Pick<LaneKey, 'namespace' | 'name'>): string {
  return `inline:${namespace}:${name}`;
}

/** Readable, and the same for the same instance name, whatever is in that. */
export function postedRefOf({ namespace, name }: LaneKey): Required<ObjectRef> {
  const hash = createHash('sha256').update(name).digest('hex');
  return { namespace, name: `${slug(name)}.${hash.slice(0, 16)}` };
}

/** The lane of a record. */
export function laneKeyOf({ spec: { owner } }: PostedObject): LaneKey {
  return { kind: 'Instance', namespace: owner.namespace, name: owner.name };
}

/** @throws SymphonyError 413 `ObjectTooLarge` */
export function deploymentText(deployment: unknown): string {
  const text = JSON.stringify(deployment);
  // The API server stores it as a text inside of JSON, with what HTML would take for markup escaped.
  const bytes = Buffer.byteLength(JSON.stringify(text)) + 5 * (text.match(/[<>&]/g)?.length ?? 0);
  if (bytes <= MAX_POSTED_BYTES) return text;
  throw new SymphonyError(
    'ObjectTooLarge',
    413,
    `The deployment takes ${bytes} bytes as it would be stored, and a posted one may take ${MAX_POSTED_BYTES}: ` +
      'post it in parts under several names, or apply it as a Solution and an Instance.',
  );
}

/** The record after one more post. @param before undefined: there is none yet */
export function postedAgain(
  before: PostedObject | undefined,
  order: LaneOrder & { payload: InlinePayload },
  deployment: string,
): PostedObject {
  const { namespace, name, generation, action, actor, payload } = order;
  const { activeTarget, jobId } = payload;
  const { spec } = before ?? {};
  return {
    metadata: before ? held(before.metadata) : { ...postedRefOf(order), finalizers: [POSTED_FINALIZER] },
    spec: {
      epoch: spec?.epoch ?? 0,
      owner: { kind: 'Inline', namespace, name, uid: ownerUidOf(order) },
      seq: (spec?.seq ?? 0) + 1,
      action,
      generation,
      jobId,
      ...(activeTarget === undefined ? {} : { activeTarget }),
      ...(actor === undefined ? {} : { actor }),
      postedAt: new Date().toISOString(),
      deployment,
      doneSeq: spec?.doneSeq ?? 0,
      ...(spec?.last ? { last: spec.last } : {}),
    },
  };
}

/** With our finalizer on. The server takes no new one on what is being deleted. */
export function held(metadata: PostedObject['metadata']): PostedObject['metadata'] {
  const { deletionTimestamp, finalizers = [] } = metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(POSTED_FINALIZER)) return metadata;
  return { ...metadata, finalizers: [...finalizers, POSTED_FINALIZER] };
}

/** True while there is something to do: it has not run, has failed, or what was deployed is to go with it. */
export function isOpen({ metadata, spec }: PostedObject): boolean {
  return metadata.deletionTimestamp !== undefined || spec.deployment !== undefined;
}

/** It is being deleted, and what was deployed is to stay. */
export function isOrphaned({ metadata: { deletionTimestamp, annotations } }: PostedObject): boolean {
  return deletionTimestamp !== undefined && annotations?.[DELETION_POLICY] === 'orphan';
}

/** What the lane of a record begins with in a new term. */
export function knownPosted(record: PostedObject): KnownPosted {
  const { spec } = record;
  const { seq, doneSeq, last } = spec;
  const known: KnownPosted = {
    ...orderOf(record),
    ...(spec.actor === undefined ? {} : { actor: spec.actor }),
  };
  const fresh = record.metadata.deletionTimestamp !== undefined || doneSeq < seq;
  if (fresh || !last) return known;
  const reason = { code: isReason(last.reason) ? last.reason : 'InternalError', message: last.message ?? '' };
  if (!isOpen(record)) return { ...known, last: { result: endOf(last.result), reason } };
  const { attempts } = last;
  return { ...known, last: { result: 'retry', reason, ...(attempts === undefined ? {} : { attempts }) } };
}

/** The newest order of a record, as a lane takes it. */
export function orderOf(record: PostedObject): LaneOrder & { payload: InlinePayload } {
  const { spec } = record;
  const { generation, actor } = spec;
  const going = record.metadata.deletionTimestamp !== undefined;
  return {
    ...laneKeyOf(record),
    generation,
    action: going ? 'delete' : spec.action,
    cause: 'person',
    ...(actor === undefined ? {} : { actor }),
    payload: payloadOf(record, going),
  };
}

/** Removal needs nothing of what was posted but the name: the ledger has the rest. */
export function removalOf(name: string): unknown {
  return { solution: { spec: {} }, instance: { metadata: { name }, spec: {} } };
}

function payloadOf({ spec }: PostedObject, going: boolean): NumberedPayload {
  const { owner, deployment, jobId, activeTarget, seq } = spec;
  if (going) return { deployment: removalOf(owner.name), jobId, seq };
  return {
    deployment: deployment === undefined ? undefined : (JSON.parse(deployment) as unknown),
    jobId,
    seq,
    ...(activeTarget === undefined ? {} : { activeTarget }),
  };
}

/** Which order of its record a claim covers; undefined when it was made of none. */
export function seqOf({ payload }: Claim): number | undefined {
  const seq: unknown = payload && 'seq' in payload ? payload.seq : undefined;
  return typeof seq === 'number' ? seq : undefined;
}

/** The record after a run. What was posted goes when nothing more comes of it, unless something newer was posted meanwhile. */
export function afterRun(record: PostedObject, seq: number, claim: Claim, outcome: RunOutcome): PostedObject {
  const { deployment, ...spec } = record.spec;
  // Failures are tried again, and so is what waits for a report.
  const goesOn = outcome.result === 'retry' || spec.seq > seq;
  return {
    ...record,
    spec: {
      ...spec,
      // The server refuses it when it is lower than that of whoever leads now and has told of a run.
      epoch: claim.fence.epoch,
      doneSeq: hasRun(claim, outcome) ? Math.max(spec.doneSeq, seq) : spec.doneSeq,
      last: endedRun(claim, outcome),
      ...(goesOn && deployment !== undefined ? { deployment } : {}),
    },
  };
}

/** The record when an object was stored under its name: that object has the lane from then on. */
export function afterStoring(record: PostedObject): PostedObject {
  const { deployment: _deployment, ...spec } = record.spec;
  const message = 'An instance was stored under this name, and is what counts from then on.';
  const last = { result: 'waiting', reason: 'Superseded', message, endedAt: new Date().toISOString() };
  return { ...record, spec: { ...spec, doneSeq: spec.seq, last } };
}

/** True when that is the last that became of it. */
export function isLeftToInstance({ spec: { last } }: PostedObject): boolean {
  return last?.reason === 'Superseded';
}

function endedRun(claim: Claim, { result, reason, summary, record }: RunOutcome): EndedRun {
  return {
    result,
    reason: reason.code,
    message: reason.message === '' ? REASONS[reason.code] : beginningOf(reason.message, MAX_MESSAGE),
    attempts: result === 'retry' ? claim.attempts + 1 : 0,
    endedAt: record?.endedAt ?? new Date().toISOString(),
    ...(summary
      ? {
          summaryKey: summary.key,
          generation: summary.generation,
          deploymentHash: summary.deploymentHash,
          summary: fitted(summary.summary),
        }
      : {}),
  };
}

const MAX_MESSAGE = 4_000;

/** Who asks the leader gets it whole. */
function fitted(summary: SummarySpec): SummarySpec {
  if (Buffer.byteLength(JSON.stringify(summary)) <= MAX_SUMMARY_BYTES) return summary;
  const { targets: _targets, ...rest } = summary;
  return rest;
}

function endOf(result: string): 'succeeded' | 'waiting' {
  return result === 'waiting' ? 'waiting' : 'succeeded';
}

function isReason(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
