import {
  reason,
  REASONS,
  type LedgerEntry,
  type ObjectStatus,
  type Reason,
  type ReasonCode,
  type StatusWord,
  type SummarySpec,
} from '@symphony/model';
import { redactedDeep } from '@symphony/provider-kit';
import type { Claim, RunOutcome, RunRecord, RunResult, SummaryWrite } from '../queue/index.js';
import type { PlannedRun } from '../solution/index.js';
import { lateReason, timeLeft } from './late-removal.js';
import { recordedSteps, type RunReport } from './report.js';
import { sameStatus, statusOf } from './status.js';
import type { Execution } from './execution.js';
import type { Subject } from './subject.js';

/** Which run, since when. */
export interface RunIdentity {
  runId: string;
  startedAt: string;
  claim: Claim;
}

/** All that is known at the end of a run that had a plan. */
export interface FinishedRun {
  identity: RunIdentity;
  subject: Subject;
  planned: PlannedRun;
  execution: Execution;
  report: RunReport;
}

export interface NextRun {
  /** Until the next periodic run. */
  nextRunMs?: number;
  /** Earliest retry. */
  retryAfterMs?: number;
}

/** How long a target under deletion waits before it looks by itself whether it is free; whoever leaves it tells it sooner. */
const IN_USE_RETRY_MS = 30_000;

/** The outcome of a run without anything to do, known before any target was asked. */
export function unchangedOutcome(subject: Subject, nextRunMs: number | undefined): RunOutcome {
  // The hash is that of the last success, which is what "unchanged" means.
  return { result: 'succeeded', reason: reason('UpToDate'), nextRunMs, deploymentHash: subject.lastHash };
}

export function madeWayOutcome(why: Reason): RunOutcome {
  return { result: 'yielded', reason: why };
}

/**
 * A run that could not plan.
 * @param steps what was removed from targets that are being deleted, as history keeps it; nothing else was touched
 */
export function blockedOutcome(
  identity: RunIdentity,
  subject: Subject,
  why: Reason,
  summary: SummarySpec,
  result: RunResult,
  next: NextRun,
  steps: unknown[],
): RunOutcome {
  const end = inTime(subject, { result, word: 'Failed', why, next });
  return {
    result: end.result,
    reason: end.why,
    ...end.next,
    ...statusWrite(identity, subject, end.word, end.why, summary),
    summary: summaryWrite(subject, summary, ''),
    record: recordOf(identity, subject, end.result, end.why, steps),
  };
}

/** How a run ends, in all that anybody is told of it. */
interface Ending {
  result: RunResult;
  word: StatusWord;
  why: Reason;
  next: NextRun;
}

/** A removal that only waits is looked at again when its time is over; one that is late says so, whatever keeps it. */
function inTime({ late, limit }: Subject, ending: Ending): Ending {
  if (late) {
    const why = lateReason(late, ending.why);
    return { result: 'retry', word: 'Failed', why, next: { retryAfterMs: late.nextMs } };
  }
  const leftMs = timeLeft(limit);
  const { word, next } = ending;
  if (word !== 'Deleting' || leftMs === undefined || next.retryAfterMs === undefined) return ending;
  return { ...ending, next: { ...next, retryAfterMs: Math.min(next.retryAfterMs, Math.max(0, leftMs)) } };
}

/** The run made way for a newer order, or for the end of the engine. */
export function yieldedOutcome(run: FinishedRun): RunOutcome {
  const why = reason('Superseded');
  const worthKeeping = run.report.didSomething;
  return {
    result: 'yielded',
    reason: why,
    ...(worthKeeping ? { record: recordOfFinished(run, 'yielded', why) } : {}),
  };
}

export function troubledOutcome(run: FinishedRun, trouble: Reason, next: NextRun): RunOutcome {
  const deleting = run.subject.object?.deletionTimestamp !== undefined;
  const waits = run.report.waits && !deleting;
  const result: RunResult = waits ? 'waiting' : 'retry';
  // What only has to wait, for its turn or for a report, has not failed.
  const isUnderWay = trouble.code === 'TargetBusy' || trouble.code === 'Pending';
  const word: StatusWord = isUnderWay ? (deleting ? 'Deleting' : 'Reconciling') : 'Failed';
  return finished(run, result, word, redactedDeep(trouble, run.planned.values.redact), {
    nextRunMs: waits ? next.nextRunMs : undefined,
    retryAfterMs: next.retryAfterMs,
  });
}

export function inUseOutcome(run: FinishedRun, users: string): RunOutcome {
  const why = reason('TargetInUse', `Used by ${users}.`);
  return finished(run, 'retry', 'Deleting', why, { retryAfterMs: IN_USE_RETRY_MS });
}

/** The removal went well and something is left all the same. */
export function incompleteOutcome(run: FinishedRun, left: readonly LedgerEntry[]): RunOutcome {
  const names = left.slice(0, 10).map(({ component, targetName }) => `${component} on ${targetName}`);
  return finished(run, 'retry', 'Failed', reason('RemovalIncomplete', `Left: ${names.join(', ')}.`), {});
}

export function removedOutcome(run: FinishedRun): RunOutcome {
  return { ...finished(run, 'removed', 'Succeeded', reason('Succeeded'), {}), status: undefined };
}

export function succeededOutcome(run: FinishedRun, nextRunMs: number | undefined): RunOutcome {
  const { deployment } = run.planned;
  const code: ReasonCode = deployment.dryRun
    ? 'DryRun'
    : deployment.removalReason === 'Inactive'
      ? 'Inactive'
      : 'Succeeded';
  const quiet = run.identity.claim.cause === 'periodic' && !run.report.didSomething;
  const outcome = finished(run, 'succeeded', 'Succeeded', reason(code), { nextRunMs });
  outcome.deploymentHash = deployment.hash;
  if (!quiet) return outcome;
  // A periodic look that found everything in place leaves no trace but the lane's next due time.
  return outcome.status ? outcome : { ...outcome, summary: undefined, record: undefined };
}

/** The status while a run is under way. */
export function progressStatus(
  identity: RunIdentity,
  subject: Subject,
  summary: SummarySpec,
): ObjectStatus | undefined {
  if (!subject.object) return undefined;
  const deleting = subject.object.deletionTimestamp !== undefined;
  return statusOf({
    generation: subject.object.generation,
    operationId: identity.runId,
    word: subject.late ? 'Failed' : deleting ? 'Deleting' : 'Reconciling',
    reason: subject.late ? lateReason(subject.late) : reason(deleting ? 'Deleting' : 'Reconciling'),
    summary,
    previous: subject.object.status.engine,
    now: new Date().toISOString(),
  });
}

function finished(
  run: FinishedRun,
  result: RunResult,
  word: StatusWord,
  why: Reason,
  next: NextRun,
): RunOutcome {
  const { identity, subject, planned, report } = run;
  const clean = redactedDeep(report, planned.values.redact);
  const end =
    word === 'Succeeded' ? { result, word, why, next } : inTime(subject, { result, word, why, next });
  return {
    result: end.result,
    reason: end.why,
    ...end.next,
    ...statusWrite(identity, subject, end.word, end.why, clean.summary, clean),
    summary: summaryWrite(subject, clean.summary, planned.deployment.postedHash ?? planned.deployment.hash),
    record: recordOfFinished(run, end.result, end.why),
  };
}

function statusWrite(
  identity: RunIdentity,
  subject: Subject,
  word: StatusWord,
  why: Reason,
  summary: SummarySpec,
  report?: RunReport,
): { status?: ObjectStatus } {
  const { object } = subject;
  if (!object) return {};
  const previous = object.status.engine;
  const status = statusOf({
    generation: object.generation,
    operationId: identity.runId,
    word,
    reason: why,
    summary,
    components: report?.components,
    previous,
    now: new Date().toISOString(),
  });
  return subject.progressShown() || !sameStatus(previous, status) ? { status } : {};
}

function summaryWrite(subject: Subject, summary: SummarySpec, deploymentHash: string): SummaryWrite {
  return { key: subject.summaryKey, generation: subject.generation, deploymentHash, summary };
}

function recordOfFinished(run: FinishedRun, result: RunResult, why: Reason): RunRecord {
  const steps = redactedDeep(recordedSteps(run.execution), run.planned.values.redact);
  return recordOf(run.identity, run.subject, result, why, steps);
}

function recordOf(
  identity: RunIdentity,
  subject: Subject,
  result: RunResult,
  why: Reason,
  steps: unknown[],
): RunRecord {
  const { claim, runId, startedAt } = identity;
  return {
    id: runId,
    objectUid: subject.ownerUid,
    generation: subject.object?.generation ?? claim.generation,
    cause: claim.cause,
    ...(claim.actor === undefined ? {} : { actor: claim.actor }),
    epoch: claim.fence.epoch,
    startedAt,
    endedAt: new Date().toISOString(),
    result,
    reason: why.code,
    message: why.message === '' ? REASONS[why.code] : why.message,
    steps,
    attempts: claim.attempts,
  };
}
