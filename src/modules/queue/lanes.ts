import type { DeployableKind, ObjectStatus, Reason, ReasonCode, SummarySpec } from '@symphony/model';

/** A lane belongs to one object; posted deployments use the lane of (namespace, instance name). */
export interface LaneKey {
  kind: DeployableKind;
  namespace: string;
  name: string;
}

/** Why a run was ordered; also its urgency, the most urgent first. */
export const CAUSES = ['person', 'dependent', 'retry', 'periodic'] as const;
export type Cause = (typeof CAUSES)[number];

export type LaneAction = 'update' | 'delete';

/** A request that a lane's object be reconciled. Folds into an order that already waits. */
export interface LaneOrder extends LaneKey {
  generation: number;
  action: LaneAction;
  cause: Cause;
  /** Who asked: a user's name, or undefined for the engine. */
  actor?: string;
  /** Milliseconds from now. Default 0. */
  delayMs?: number;
  /** A posted deployment; the lane then has no stored object. */
  payload?: InlinePayload;
}

export interface InlinePayload {
  /** Symphony's DeploymentSpec as posted. */
  deployment: unknown;
  /** Decimal text, or empty. A number lower than the lane's newest is refused by `orderInline`. */
  jobId: string;
  /** From the metadata `active-target`: limits the run to one target. */
  activeTarget?: string;
}

/** One durable request to order whatever depends on a solution or target. */
export interface FanOut {
  namespace: string;
  kind: 'Solution' | 'Target';
  name: string;
  uid: string;
  /** Properties of a target before and after the write, for selectors. */
  propertiesBefore?: Record<string, string>;
  propertiesAfter?: Record<string, string>;
}

/** Proof of the right to write for a lane: refused once the lane has a newer epoch. */
export interface Fence {
  laneId: string;
  epoch: number;
}

/** A lane that this worker may run until its lease ends. */
export interface Claim extends LaneKey {
  fence: Fence;
  /** Number of the newest order that this claim covers. */
  seq: string;
  generation: number;
  action: LaneAction;
  cause: Cause;
  actor?: string;
  /** Failed attempts since the last success or new order. */
  attempts: number;
  /** Of the last run that succeeded; lets a dependent run skip when nothing changed. */
  lastHash?: string;
  payload?: InlinePayload;
  /** RFC 3339, the database's clock. */
  orderedAt: string;
  claimedAt: string;
}

export type RunResult =
  /** As declared. */
  | 'succeeded'
  /** Tried again after a backoff. */
  | 'retry'
  /** Only a change of something can help: no retry. The next periodic run looks again, also for drift of what is well. */
  | 'waiting'
  /** Everything is removed and the object was to be deleted: the record goes. */
  | 'removed'
  /** Made way for a newer order or a stopping engine: run again at once, no attempt is counted. */
  | 'yielded';

/** All that a run leaves behind; written in one transaction, refused as a whole when the fence is broken. */
export interface RunOutcome {
  result: RunResult;
  reason: Reason;
  /** Milliseconds until the next periodic run, after `succeeded` and `waiting`; undefined: none. */
  nextRunMs?: number;
  /** Earliest retry, when known better than the lane's backoff (a target's probe time). */
  retryAfterMs?: number;
  /** Of the desired state that was reached; set only on success. */
  deploymentHash?: string;
  /** Written only when it differs from what is stored. */
  status?: ObjectStatus;
  summary?: SummaryWrite;
  /** Left out by a periodic run that found nothing to do. */
  record?: RunRecord;
}

export interface SummaryWrite {
  /** `<name>` or `<name>-<guid>`; `target-runtime-<target>` for targets. */
  key: string;
  generation: string;
  deploymentHash: string;
  summary: SummarySpec;
}

/** One run, as history keeps it. Holds no resolved values. */
export interface RunRecord {
  id: string;
  objectUid: string;
  generation: number;
  cause: Cause;
  actor?: string;
  epoch: number;
  startedAt: string;
  endedAt: string;
  result: RunResult;
  reason: ReasonCode;
  message: string;
  /** Steps with their actions, reasons, diffs, outcomes and timing; JSON. */
  steps: unknown[];
  attempts: number;
}

/** A lane as `GET /jobs` shows it. */
export interface LaneView extends LaneKey {
  id: string;
  state: LaneState;
  generation: number;
  action: LaneAction;
  cause?: Cause;
  attempts: number;
  reason?: ReasonCode;
  /** Sentence of the last run's reason. */
  message?: string;
  dueAt?: string;
  runningSince?: string;
  worker?: string;
  orderSeq: string;
  doneSeq: string;
}

/**
 * - `waiting`: an order is due or will be (also a retry; see `reason`)
 * - `running`
 * - `suspended`: nothing runs until somebody resumes it
 * - `idle`: nothing is due but the next periodic run
 * - `stalled`: waits for a change, or gave up; `reason` says what to do
 */
export type LaneState = 'waiting' | 'running' | 'suspended' | 'idle' | 'stalled';
