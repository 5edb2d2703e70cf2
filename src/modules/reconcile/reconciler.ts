import { randomUUID } from 'node:crypto';
import { ExpressionError } from '@symphony/expressions';
import {
  AccessError,
  intervalOf,
  reason,
  removalLimitOf,
  retryOf,
  type IntervalDefaults,
  type Reason,
  type StoredObject,
} from '@symphony/model';
import { DeploymentError, generateForInstance } from '@symphony/planning';
import { redactedDeep } from '@symphony/provider-kit';
import { RunHandler, type Claim, type RunControl, type RunOutcome } from '../queue/index.js';
import type { DesiredStateReader, PlannedRun, RunPlanner, TargetHealth } from '../solution/index.js';
import type { Ledger } from './ledger.js';
import { timeLeft } from './late-removal.js';
import { ProgressSession, type ProgressOptions, type ProgressStore } from './progress.js';
import { blockedSummary, recordedSteps, reportOf } from './report.js';
import {
  blockedOutcome,
  incompleteOutcome,
  inUseOutcome,
  madeWayOutcome,
  progressStatus,
  removedOutcome,
  succeededOutcome,
  troubledOutcome,
  unchangedOutcome,
  yieldedOutcome,
  type FinishedRun,
  type RunIdentity,
} from './run-ending.js';
import type { Execution } from './execution.js';
import type { StepExecutor } from './step-executor.js';
import { inlineSubject, knownSubject, storedSubject, type Subject } from './subject.js';
import { takeReports } from './take-reports.js';
import { tellHealth } from './tell-health.js';
import { adoptionText, DELETED_UNADOPTED, notAdopted } from './unadopted.js';

export interface ReconcilerParts {
  reader: DesiredStateReader;
  planner: RunPlanner;
  executor: StepExecutor;
  ledger: Ledger;
  health: TargetHealth;
  progress: ProgressStore;
  intervals: IntervalDefaults;
  /** Within which a removal is to have ended, where the object does not say it. Default 30 min. */
  deleteTimeoutMs?: number;
  progressOptions?: Partial<ProgressOptions>;
  /** Ends programs that a dead engine left running on this machine. */
  endLeftovers?: () => Promise<void>;
}

/** How often what is not adopted is looked at. */
const UNADOPTED_LOOK_MS = 300_000;
const HALF_HOUR_MS = 1_800_000;
/** The longest that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const NOTHING_DONE: Execution = { outcomes: new Map(), steps: [] };

/** What became of a removal from targets that are being deleted. */
interface Evacuation {
  complete: boolean;
  /** Earliest retry. */
  retryAfterMs: number | undefined;
  /** As history keeps them. */
  steps: unknown[];
}

const NOTHING_TO_EVACUATE: Evacuation = { complete: true, retryAfterMs: undefined, steps: [] };

/** Runs lanes: reads what is wanted, plans, carries out, reports. See docs/architecture.md, "The way of a run". */
export class Reconciler extends RunHandler {
  constructor(private readonly parts: ReconcilerParts) {
    super();
  }

  override async beforeTakeOver(): Promise<void> {
    await this.parts.endLeftovers?.();
  }

  override async run(claim: Claim, control: RunControl): Promise<RunOutcome> {
    const { reader, planner } = this.parts;
    const identity: RunIdentity = { runId: randomUUID(), startedAt: new Date().toISOString(), claim };
    const unchanged = await this.#unchanged(claim, control);
    if (unchanged) return unchangedOutcome(unchanged, this.#nextRunMs(unchanged));
    const subject = claim.payload
      ? await inlineSubject(reader, claim, claim.payload, control)
      : await storedSubject(reader, claim, control);
    // The record is gone already: the lane has nothing left to do.
    if (!subject) return { result: 'removed', reason: reason('Succeeded') };
    if (subject.snapshot.unadopted !== undefined)
      return this.#unadopted(identity, subject, subject.snapshot.unadopted, control);
    await this.#takeReports(subject, claim);
    subject.limit =
      subject.object && removalLimitOf(subject.object, this.parts.deleteTimeoutMs ?? HALF_HOUR_MS);
    await this.#lookAtTheClock(subject);

    const progress = new ProgressSession(this.parts.progress, claim, {
      afterMs: this.parts.progress.afterMs,
      ...this.parts.progressOptions,
    });
    try {
      let planned: PlannedRun | undefined;
      try {
        planned = await planner.prepare(subject.request);
      } catch (error) {
        return await this.#blocked(identity, subject, reasonOf(error, control), control);
      }
      if (!planned) return unchangedOutcome(subject, this.#nextRunMs(subject));
      const execution = await this.#execute(identity, subject, planned, control, progress);
      await progress.end();
      const finished: FinishedRun = {
        identity,
        subject,
        planned,
        execution,
        report: reportOf(planned, execution),
      };
      return await this.#conclude(finished, control);
    } catch (error) {
      if (!(error instanceof AccessError)) throw error;
      await progress.end();
      return this.#refused(identity, subject, reason('StoreRefused', error.message));
    } finally {
      await progress.end();
    }
  }

  /** What was about to be done could not be written down, for want of a right or of room in a quota. */
  #refused(identity: RunIdentity, subject: Subject, why: Reason): RunOutcome {
    const summary = blockedSummary(why, subject.removal, subject.jobId);
    return blockedOutcome(identity, subject, why, summary, 'retry', {}, []);
  }

  /**
   * Something that the object depends on was written, or a new leader looks at it for the first time: many are ordered at once,
   * and mostly nothing is to be done. What is known may be a little old; what it does not show yet orders a run of its own.
   */
  async #unchanged(claim: Claim, control: RunControl): Promise<Subject | undefined> {
    if (claim.payload || claim.cause !== 'dependent' || claim.lastHash === undefined) return undefined;
    const subject = await knownSubject(this.parts.reader, claim, control);
    return subject && (await this.parts.planner.isUnchanged(subject.request)) ? subject : undefined;
  }

  /** Somebody else's: what would be done is said, and nothing is done. */
  async #unadopted(
    identity: RunIdentity,
    subject: Subject,
    traces: string,
    control: RunControl,
  ): Promise<RunOutcome> {
    let would = DELETED_UNADOPTED;
    if (subject.object?.deletionTimestamp === undefined) {
      try {
        const planned = await this.parts.planner.prepare({
          ...subject.request,
          readOnly: true,
          skipWhen: undefined,
        });
        if (planned) would = planned.values.redact(adoptionText(planned));
      } catch (error) {
        const why = reasonOf(error, control);
        if (why.code === 'Interrupted') return madeWayOutcome(why);
        would = `What adopting would do cannot be told yet: ${why.code}: ${why.message}`;
      }
    }
    const why = notAdopted(traces, would);
    const summary = blockedSummary(why, subject.removal, subject.jobId);
    // Annotations of a namespace order nothing: they are looked at.
    const next = { nextRunMs: Math.min(this.#nextRunMs(subject) ?? Infinity, UNADOPTED_LOOK_MS) };
    return blockedOutcome(identity, subject, why, summary, 'waiting', next, []);
  }

  /** What was reported since the last run is part of what this one begins with. */
  async #takeReports(subject: Subject, { fence }: Claim): Promise<void> {
    const { request, snapshot } = subject;
    if (!request.ledger.some((entry) => entry.pending)) return;
    const { ledger, verdicts, retryMs } = await takeReports(this.parts.ledger, fence, request.ledger);
    request.ledger = ledger;
    request.verdicts = verdicts;
    snapshot.ledger = ledger;
    subject.reportRetryMs = retryMs;
  }

  async #execute(
    identity: RunIdentity,
    subject: Subject,
    planned: PlannedRun,
    control: RunControl,
    progress: ProgressSession,
  ): Promise<Execution> {
    if (planned.plan.steps.length === 0) return NOTHING_DONE;
    const show = (soFar: Execution): void =>
      progress.update(() => {
        subject.progressShown = () => true;
        const { summary } = reportOf(planned, soFar);
        const total =
          planned.plan.kept.length + planned.plan.steps.reduce((sum, step) => sum + step.actions.length, 0);
        const shown = { ...summary, plannedDeployment: total, allAssignedDeployed: false, skipped: false };
        const running = redactedDeep(shown, planned.values.redact);
        return {
          status: progressStatus(identity, subject, running),
          summaryKey: subject.summaryKey,
          generation: subject.generation,
          summary: running,
        };
      });
    let latest = NOTHING_DONE;
    const shown = (soFar: Execution): void => show((latest = soFar));
    shown(NOTHING_DONE);
    // A call that hangs says nothing: that the time for a removal is over is told all the same.
    const leftMs = subject.late ? undefined : timeLeft(subject.limit);
    const alarm =
      leftMs === undefined
        ? undefined
        : setTimeout(
            () => void this.#sayLate(subject, () => show(latest)),
            Math.min(leftMs + 10, MAX_TIMER_MS),
          );
    try {
      return await this.parts.executor.execute(planned, identity.claim.fence, control, shown);
    } finally {
      clearTimeout(alarm);
    }
  }

  async #sayLate(subject: Subject, show: () => void): Promise<void> {
    try {
      await this.#lookAtTheClock(subject);
      if (subject.late) show();
    } catch {
      // The store is away: the end of the run meets it as well.
    }
  }

  /** Notes that a removal is late, with what is left of it. */
  async #lookAtTheClock(subject: Subject): Promise<void> {
    const { limit, object, ownerUid } = subject;
    if (!limit || !object || (timeLeft(limit) ?? 0) > 0) return;
    const { intervals, ledger } = this.parts;
    const entries = await ledger.entriesOf(ownerUid);
    const left = entries.map(({ component, targetName }) => `${component} on ${targetName}`);
    const nextMs =
      intervalOf(object.spec.reconciliationPolicy, intervals) ?? (intervals.interval || HALF_HOUR_MS);
    subject.late = { timeoutMs: limit.timeoutMs, left: left.toSorted(), nextMs };
  }

  async #conclude(run: FinishedRun, control: RunControl): Promise<RunOutcome> {
    const { subject, report, planned, execution } = run;
    const retryAfterMs = await this.#tellHealth(subject, planned, execution);
    await this.#lookAtTheClock(subject);
    if (report.interrupted && (control.superseded.aborted || control.stop.aborted))
      return yieldedOutcome(run);
    const nextRunMs = this.#nextRunMs(subject);
    if (report.trouble) {
      const next = report.awaits
        ? { retryAfterMs: Math.min(nextRunMs ?? Infinity, await this.#untilDeadline(subject)) }
        : { retryAfterMs: retryAfterMs ?? subject.reportRetryMs, nextRunMs };
      return troubledOutcome(run, report.trouble, next);
    }
    if (subject.object?.deletionTimestamp === undefined) return succeededOutcome(run, nextRunMs);
    const left = await this.parts.ledger.entriesOf(subject.ownerUid);
    // Cannot be, as everything in the ledger was to be removed; if it is all the same, nothing may be forgotten.
    if (left.length > 0) return incompleteOutcome(run, left);
    const users = await this.#usersOf(subject.object);
    return users === undefined ? removedOutcome(run) : inUseOutcome(run, users);
  }

  /** A run that could not plan. What is on targets under deletion has to go all the same. */
  async #blocked(
    identity: RunIdentity,
    subject: Subject,
    why: Reason,
    control: RunControl,
  ): Promise<RunOutcome> {
    if (why.code === 'Interrupted') return madeWayOutcome(why);
    const evacuation = await this.#evacuate(identity, subject, control);
    const summary = blockedSummary(why, subject.removal, subject.jobId);
    // What could not be taken off a target that is being deleted is tried again, whatever the rest waits for.
    const waits = retryOf(why.code) === 'wait-for-change' && evacuation.complete;
    const next = waits ? { nextRunMs: this.#nextRunMs(subject) } : { retryAfterMs: evacuation.retryAfterMs };
    const result = waits ? 'waiting' : 'retry';
    return blockedOutcome(identity, subject, why, summary, result, next, evacuation.steps);
  }

  /** Removes what is on targets that are being deleted, where the rest of the deployment cannot be built. */
  async #evacuate(identity: RunIdentity, subject: Subject, control: RunControl): Promise<Evacuation> {
    const { object, request } = subject;
    const ledger = request.ledger.filter((entry) => request.deletingTargets.has(entry.targetUid));
    if (object?.kind !== 'Instance' || ledger.length === 0) return NOTHING_TO_EVACUATE;
    const instance = object as StoredObject<'Instance'>;
    const planned = await this.parts.planner.prepare({
      ...request,
      ledger,
      skipWhen: undefined,
      generate: () =>
        generateForInstance({
          instance: {
            ...instance,
            spec: Object.assign({}, instance.spec, { activeState: 'inactive' }),
          },
          solution: undefined,
          targets: subject.snapshot.targets,
          jobId: subject.jobId,
        }),
    });
    if (!planned) return NOTHING_TO_EVACUATE;
    const { fence } = identity.claim;
    const execution = await this.parts.executor.execute(planned, fence, control, () => undefined);
    const retryAfterMs = await this.#tellHealth(subject, planned, execution);
    const steps = redactedDeep(recordedSteps(execution), planned.values.redact);
    return { complete: reportOf(planned, execution).trouble === undefined, retryAfterMs, steps };
  }

  #nextRunMs({ object }: Subject): number | undefined {
    if (!object || object.deletionTimestamp) return undefined;
    return intervalOf(object.spec.reconciliationPolicy, this.parts.intervals);
  }

  #tellHealth(subject: Subject, run: PlannedRun, execution: Execution): Promise<number | undefined> {
    return tellHealth(this.parts.health, subject.snapshot.unhealthy, run, execution);
  }

  /** Until the first report that is awaited is late. */
  async #untilDeadline({ ownerUid }: Subject): Promise<number> {
    const entries = await this.parts.ledger.entriesOf(ownerUid);
    const deadlines = entries.flatMap(({ pending }) =>
      pending && !pending.ended ? [Date.parse(pending.deadline)] : [],
    );
    return Math.max(0, Math.min(...deadlines) - Date.now());
  }

  async #usersOf(object: StoredObject): Promise<string | undefined> {
    if (object.kind !== 'Target') return undefined;
    const { total, owners } = await this.parts.ledger.ownersOn(object.uid, 10);
    if (total === 0) return undefined;
    return owners.map((owner) => `${owner.kind} ${owner.namespace}/${owner.name}`).join(', ');
  }
}

/** Why there is no plan. What is nobody's fault but ours goes on as an error. */
function reasonOf(error: unknown, control: RunControl): Reason {
  if (control.stop.aborted) return reason('Interrupted');
  if (error instanceof DeploymentError) {
    // A constraint that reads a value from outside fails for the reason of that value.
    const code =
      error.reason === 'ExpressionFailed' && isLookUp(error.cause) ? 'ValueUnavailable' : error.reason;
    return { code, message: error.message };
  }
  if (error instanceof ExpressionError) {
    return reason(isLookUp(error) ? 'ValueUnavailable' : 'ExpressionFailed', error.message);
  }
  throw error;
}

function isLookUp(error: unknown): boolean {
  return error instanceof ExpressionError && error.code === 'ExpressionLookupFailed';
}
