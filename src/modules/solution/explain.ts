import {
  NotFoundError,
  reason,
  type Action,
  type FieldDiff,
  type Plan,
  type Reason,
  type StoredObject,
  type TargetMismatch,
} from '@symphony/model';
import { ExpressionError } from '@symphony/expressions';
import {
  DeploymentError,
  generateForInstance,
  generateForTarget,
  type ConstraintCheck,
} from '@symphony/planning';
import type { DesiredStateReader, Snapshot, SnapshotKey } from './desired-state.js';
import { lookWithin } from './look-within.js';
import type { PlannedRun, RunPlanner } from './run-planner.js';

interface ExplainedAction {
  component: string;
  role: string;
  action: Action['kind'];
  reason: Reason;
  diff: FieldDiff[];
  /** Components (as `component on target`) that this one waits for. */
  waitsFor: string[];
}

/** What a reconcile would do now. */
export interface Explanation {
  namespace: string;
  name: string;
  generation: number;
  /** True when there is nothing to do. */
  inSync: boolean;
  targets: { name: string; actions: ExplainedAction[] }[];
  /** Why nothing (more) would be done: a missing solution, an empty deployment, no matching target. */
  blocked?: Reason;
  /** Targets that do not match, and why. */
  mismatches: TargetMismatch[];
  /** Components whose constraint could not be evaluated on a target, which therefore does not get them. */
  notes: { target: string; component: string; why: string }[];
}

export interface ExplainerOptions {
  /** A target that has not answered by then is shown as not read, in milliseconds. */
  patienceMs: number;
  /** When the caller gets an answer, whatever is still missing. Leaves calls that were cut short the time to end. */
  deadlineMs: number;
}

const DEFAULTS: ExplainerOptions = { patienceMs: 45_000, deadlineMs: 60_000 };

/** Answers what a reconcile would do, by the very same reading and planning, and touches nothing. */
export class Explainer {
  readonly #options: ExplainerOptions;

  constructor(
    private readonly reader: DesiredStateReader,
    private readonly planner: RunPlanner,
    options: Partial<ExplainerOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** @throws NotFoundError, UnavailableError when it takes too long */
  explain(key: SnapshotKey): Promise<Explanation> {
    return lookWithin(this.#options.deadlineMs, (stop) => this.#explain(key, stop));
  }

  async #explain(key: SnapshotKey, stop: AbortSignal): Promise<Explanation> {
    const snapshot = await this.reader.read(key);
    const { object } = snapshot;
    if (!object)
      throw new NotFoundError(`There is no ${key.kind} ${key.name} in namespace ${key.namespace}.`);
    const { patienceMs } = this.#options;
    const base = { namespace: object.namespace, name: object.name, generation: object.generation };
    try {
      const run = await this.planner.prepare({
        namespace: object.namespace,
        generate: generatorOf(snapshot, object),
        ledger: snapshot.ledger,
        unhealthy: snapshot.unhealthy,
        targets: snapshot.targets,
        deletingTargets: new Set(snapshot.targets.filter((t) => t.deletionTimestamp).map((t) => t.uid)),
        forceRedeploy: new Set(),
        readOnly: true,
        stop,
        // Ends the looks that are still under way, each with a reason, and the plan says the rest.
        cancel: AbortSignal.timeout(patienceMs),
      });
      if (!run) throw new Error('a plan without skipWhen is never skipped');
      return { ...base, ...explained(run, patienceMs) };
    } catch (error) {
      const blocked = blockedBy(error);
      if (!blocked) throw error;
      return { ...base, inSync: false, targets: [], blocked, mismatches: [], notes: [] };
    }
  }
}

function generatorOf(snapshot: Snapshot, object: StoredObject<'Instance' | 'Target'>) {
  const { solution, targets } = snapshot;
  return (constraint: ConstraintCheck) =>
    object.kind === 'Instance'
      ? generateForInstance({
          instance: object as StoredObject<'Instance'>,
          solution,
          targets,
          jobId: '',
          constraint,
        })
      : generateForTarget({ target: object as StoredObject<'Target'>, jobId: '', constraint });
}

function blockedBy(error: unknown): Reason | undefined {
  if (error instanceof DeploymentError) return { code: error.reason, message: error.message };
  if (error instanceof ExpressionError) return reason('ExpressionFailed', error.message);
  return undefined;
}

function explained(
  run: PlannedRun,
  patienceMs: number,
): Omit<Explanation, 'namespace' | 'name' | 'generation'> {
  const { plan, deployment } = run;
  const actions = [...plan.kept, ...plan.steps.flatMap((step) => step.actions)];
  const labels = new Map(actions.map((action) => [action.id, `${action.component} on ${action.target}`]));
  const byTarget = new Map<string, ExplainedAction[]>();
  for (const target of deployment.targets) byTarget.set(target.name, []);
  for (const action of actions) {
    const list = byTarget.get(action.target) ?? [];
    byTarget.set(action.target, list);
    const given = explainedAction(action, labels, run.values.redact);
    list.push({ ...given, reason: unlessCutShort(given.reason, patienceMs) });
  }
  const unmatched = !deployment.removal && deployment.targets.length === 0 && actions.length === 0;
  const blocked = plan.guard ?? (unmatched ? reason('NoTargetMatched') : undefined);
  return {
    inSync: !blocked && isInSync(plan),
    targets: [...byTarget]
      .map(([name, list]) => ({ name, actions: list }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(blocked ? { blocked } : {}),
    mismatches: deployment.mismatches,
    notes: deployment.notes,
  };
}

/** Nobody orders anything while a plan is made: a look that had to make way went on for too long. */
function unlessCutShort(given: Reason, patienceMs: number): Reason {
  if (given.code !== 'Superseded') return given;
  return reason('ProviderTimeout', `No answer within ${patienceMs / 1000} s.`);
}

function isInSync(plan: Plan): boolean {
  return plan.steps.length === 0 && plan.kept.every((action) => action.reason.code === 'UpToDate');
}

function explainedAction(
  action: Action,
  labels: ReadonlyMap<string, string>,
  redact: (text: string) => string,
): ExplainedAction {
  const { component, role, kind, diff } = action;
  return {
    component,
    role,
    action: kind,
    reason: { code: action.reason.code, message: redact(action.reason.message) },
    diff: diff.map((item) => redactedDiff(item, redact)),
    waitsFor: [...action.requires, ...action.follows].flatMap((id) => labels.get(id) ?? []),
  };
}

function redactedDiff(diff: FieldDiff, redact: (text: string) => string): FieldDiff {
  const clean = (value: unknown): unknown => {
    if (value === undefined) return undefined;
    const text = JSON.stringify(value);
    const redacted = redact(text);
    return redacted === text ? value : '•••';
  };
  return { ...diff, before: clean(diff.before), after: clean(diff.after) };
}
