import {
  reason,
  retryOf,
  StateCode,
  type Action,
  type ComponentResultSpec,
  type ReasonCode,
  type Reason,
  type SummarySpec,
  type TargetResultSpec,
} from '@symphony/model';
import type { PlannedRun } from '../solution/index.js';
import type { ActionOutcome, Execution } from './execution.js';

/** What became of one component on one target, whether or not the run did something about it. */
export interface ComponentReport {
  target: string;
  component: string;
  action: Action['kind'] | 'none';
  ok: boolean;
  reason: Reason;
  stateCode: number;
}

export interface RunReport {
  components: ComponentReport[];
  summary: SummarySpec;
  /** Why the run did not reach the desired state; undefined when it did. */
  trouble?: Reason;
  /** True when nothing but newer orders or the engine's stop kept the run from its goal. */
  interrupted: boolean;
  /** True when a change of something is needed: trying again alone cannot help. */
  waits: boolean;
  /** True when nothing but reports on what was accepted is missing. */
  awaits: boolean;
  didSomething: boolean;
}

const NOTE_UNTOUCHED = (name: string): string => `No error. ${name} is untouched`;
/** The most telling first: of several troubles, a run is named after one. */
const TELLING: ReasonCode[] = [
  'EmptyDeployment',
  'OwnedByOther',
  'ValidationFailed',
  'ExpressionFailed',
  'RoleNotOffered',
  'ProviderUnknown',
  'ProviderDisabled',
  'ProviderConfigInvalid',
  'Unhealthy',
  'ProviderFailed',
  'ReportTimeout',
  'ProviderTimeout',
  'ObservationFailed',
  'ValueUnavailable',
  'TargetUnavailable',
  'TargetBusy',
  'Pending',
  'DependencyFailed',
];

/** Turns a plan and what became of it into Symphony's summary and a verdict. Pure. */
export function reportOf(run: PlannedRun, execution: Execution): RunReport {
  const { deployment, plan } = run;
  const components = [...keptReports(run), ...actedReports(execution), ...gapReports(run)];
  const troubles = components.filter((item) => !item.ok);
  const interrupted =
    troubles.length > 0 &&
    troubles.every(({ reason: { code } }) => code === 'Superseded' || code === 'Interrupted');
  const trouble = troubleOf(run, troubles);
  const unmatched = unmatchedReason(run);
  const verdict = trouble ?? unmatched;
  const targets = targetResults(components);
  const acted = execution.steps.some((step) => step.calls > 0);
  const good = components.filter((item) => item.ok).length;
  const hidden = deployment.dryRun || deployment.removalReason === 'Inactive';
  const names = new Set([...deployment.targets.map((target) => target.name), ...Object.keys(targets)]);
  const summary: SummarySpec = {
    targetCount: names.size,
    successCount: hidden ? 0 : Object.values(targets).filter(({ status }) => status === 'OK').length,
    plannedDeployment: components.length,
    currentDeployed: good,
    ...(Object.keys(targets).length > 0 ? { targets } : {}),
    ...(verdict ? { message: `${verdict.code}: ${verdict.message}` } : {}),
    ...(deployment.jobId === '' ? {} : { jobID: deployment.jobId }),
    skipped: !acted && plan.steps.length === 0,
    isRemoval: deployment.removal,
    allAssignedDeployed: verdict === undefined,
    removed: false,
  };
  return {
    components,
    summary,
    trouble: verdict,
    interrupted,
    waits:
      verdict !== undefined &&
      [...troubles.map((item) => item.reason.code), verdict.code].every(waitsForChange),
    awaits:
      verdict?.code === 'Pending' &&
      troubles.every(({ reason: { code } }) => code === 'Pending' || code === 'DependencyFailed'),
    didSomething: acted,
  };
}

function keptReports(run: PlannedRun): ComponentReport[] {
  return run.plan.kept.map((action) => {
    const { target, component } = action;
    const upToDate = action.reason.code === 'UpToDate';
    const complaint = upToDate ? run.complaintOf(target, component) : undefined;
    return {
      target,
      component,
      action: 'keep',
      ok: upToDate && complaint === undefined,
      reason: complaint === undefined ? action.reason : reason('Unhealthy', complaint),
      stateCode: complaint === undefined ? StateCode.Untouched : StateCode.InternalError,
    };
  });
}

function actedReports(execution: Execution): ComponentReport[] {
  return [...execution.outcomes.values()].map((outcome) => ({
    target: outcome.action.target,
    component: outcome.action.component,
    action: outcome.action.kind,
    ok: outcome.state === 'ok',
    reason: outcome.reason,
    stateCode: outcome.stateCode,
  }));
}

function gapReports(run: PlannedRun): ComponentReport[] {
  // The plan already keeps those that are in the ledger; a gap is reported once.
  const kept = new Set(run.plan.kept.map((action) => `${action.target} ${action.component}`));
  return run.deployment.gaps
    .filter((gap) => !kept.has(`${gap.target} ${gap.component}`))
    .map((gap) => ({
      target: gap.target,
      component: gap.component,
      action: 'none',
      ok: false,
      reason: gap.reason,
      stateCode: StateCode.BadConfig,
    }));
}

function troubleOf(run: PlannedRun, troubles: readonly ComponentReport[]): Reason | undefined {
  if (run.plan.guard) return run.plan.guard;
  const rank = (code: ReasonCode): number =>
    TELLING.includes(code) ? TELLING.indexOf(code) : TELLING.length;
  const first = [...troubles].sort((a, b) => rank(a.reason.code) - rank(b.reason.code))[0];
  if (!first) return undefined;
  const where = `${first.component} on ${first.target}: ${first.reason.message}`;
  const more = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
  return { code: first.reason.code, message: where + more };
}

/** An instance that matches nothing is not "as declared", though there is nothing to do. */
function unmatchedReason(run: PlannedRun): Reason | undefined {
  const { deployment } = run;
  if (deployment.removal || deployment.targets.length > 0 || deployment.allowEmpty) return undefined;
  const why = deployment.mismatches.slice(0, 10).map(({ target, why: text }) => `${target}: ${text}`);
  const detail = why.length > 0 ? why.join(' ') : 'There are no such targets in the namespace.';
  return reason('NoTargetMatched', detail);
}

function waitsForChange(code: ReasonCode): boolean {
  return code === 'DependencyFailed' || retryOf(code) === 'wait-for-change';
}

function targetResults(components: readonly ComponentReport[]): Record<string, TargetResultSpec> {
  const results: Record<string, TargetResultSpec> = {};
  for (const item of components) {
    const target = (results[item.target] ??= { status: 'OK', components: {} });
    const byName = (target.components ??= {});
    byName[item.component] = resultOf(item);
    // Symphony has no word for it: neither done nor failed.
    if (item.ok || item.reason.code === 'Pending') continue;
    target.status = item.action === 'delete' ? 'Target Delete Failed' : 'Target Update Failed';
    const text = `${item.component}: ${item.reason.code}: ${item.reason.message}`;
    target.message = target.message ? `${target.message}; ${text}` : text;
  }
  return results;
}

function resultOf(item: ComponentReport): ComponentResultSpec {
  if (!item.ok) return { status: item.stateCode, message: `${item.reason.code}: ${item.reason.message}` };
  if (item.action === 'keep') return { status: StateCode.Untouched, message: NOTE_UNTOUCHED(item.component) };
  return { status: item.stateCode, message: '' };
}

/** Summary of a run that ended before there was a plan. */
export function blockedSummary(why: Reason, isRemoval: boolean, jobId: string): SummarySpec {
  return {
    targetCount: 0,
    successCount: 0,
    plannedDeployment: 0,
    currentDeployed: 0,
    message: `${why.code}: ${why.message}`,
    ...(jobId === '' ? {} : { jobID: jobId }),
    skipped: true,
    isRemoval,
    allAssignedDeployed: false,
    removed: false,
  };
}

/** The step of an action, as history keeps it: no resolved value, only what was declared, and why. */
export function recordedSteps(execution: Execution): unknown[] {
  const outcomeOf = (action: Action): ActionOutcome | undefined => execution.outcomes.get(action.id);
  return execution.steps.map(({ step, startedAt, endedAt, calls }) => ({
    target: step.target,
    role: step.role,
    provider: step.binding.provider,
    phase: step.phase,
    startedAt,
    endedAt,
    calls,
    actions: step.actions.map((action) => {
      const outcome = outcomeOf(action);
      return {
        component: action.component,
        kind: action.kind,
        reason: action.reason.code,
        why: action.reason.message,
        diff: action.diff,
        outcome: outcome?.state ?? 'skipped',
        ...(outcome && outcome.state !== 'ok' ? { failure: outcome.reason } : {}),
        stateCode: outcome?.stateCode ?? StateCode.Untouched,
      };
    }),
  }));
}
