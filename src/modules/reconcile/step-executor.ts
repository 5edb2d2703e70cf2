import pLimit from 'p-limit';
import {
  isFailure,
  reason,
  StateCode,
  type Action,
  type ComponentResultSpec,
  type ComponentSpec,
  type LedgerEntry,
  type LedgerKey,
  type Reason,
  type Step,
} from '@symphony/model';
import { runnableActions, toWireDeployment, type ActionOutcome as ActionState } from '@symphony/planning';
import type { ComponentStep } from '@symphony/provider-kit';
import type { Fence, RunControl } from '../queue/index.js';
import {
  CallFailure,
  targetOf,
  type CallSite,
  type PlannedRun,
  type ProviderCalls,
  type RunPlanner,
} from '../solution/index.js';
import type { Ledger, LedgerOutcome } from './ledger.js';

/** What became of one action. */
export interface ActionOutcome {
  action: Action;
  /** `unknown`: it may have happened or not. `skipped`: not begun. */
  state: ActionState | 'skipped';
  reason: Reason;
  /** Symphony's number for the result on the wire. */
  stateCode: number;
}

export interface StepOutcome {
  step: Step;
  startedAt: string;
  endedAt: string;
  /** Provider calls that were made. */
  calls: number;
}

export interface Execution {
  outcomes: Map<string, ActionOutcome>;
  steps: StepOutcome[];
}

export interface ExecutorOptions {
  /** Steps in progress at once in one run. */
  stepsAtOnce: number;
  /** Calls per step, the first included, while the provider reports failures that may pass. */
  tries: number;
  /** Milliseconds before the second try; doubles. */
  retryDelayMs: number;
}

const DEFAULTS: ExecutorOptions = { stepsAtOnce: 16, tries: 3, retryDelayMs: 200 };

/**
 * Carries out a plan. Steps run as soon as what they wait for has ended, targets in parallel; before each provider call an
 * intent per component is made durable, after it the outcome. Failures are data: only a broken fence and a lost store end
 * the execution as a whole.
 */
export class StepExecutor {
  readonly #options: ExecutorOptions;

  constructor(
    private readonly planner: RunPlanner,
    private readonly calls: ProviderCalls,
    private readonly ledger: Ledger,
    options: Partial<ExecutorOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  async execute(
    run: PlannedRun,
    fence: Fence,
    control: RunControl,
    onProgress: (execution: Execution) => void,
  ): Promise<Execution> {
    const execution: Execution = { outcomes: new Map(), steps: [] };
    const steps = new Map(run.plan.steps.map((step) => [step.id, step]));
    const limit = pLimit(this.#options.stepsAtOnce);
    const ended = new Map<string, Promise<void>>();
    const start = (step: Step): Promise<void> => {
      const known = ended.get(step.id);
      if (known) return known;
      const before = step.after.flatMap((id) => {
        const earlier = steps.get(id);
        return earlier ? [start(earlier)] : [];
      });
      const done = Promise.all(before).then(() =>
        limit(async () => {
          // A newer order does not wait for what has not begun; what can begin at once does, so that a stream of changes
          // still makes progress.
          const skip = control.stop.aborted
            ? 'Interrupted'
            : control.superseded.aborted && before.length > 0
              ? 'Superseded'
              : undefined;
          if (skip) this.#skip(step, execution, reason(skip));
          else
            await new StepRun(
              step,
              run,
              fence,
              control,
              execution,
              this.ledger,
              this.planner,
              this.calls,
              this.#options,
            ).run();
          onProgress(execution);
        }),
      );
      ended.set(step.id, done);
      return done;
    };
    const all = run.plan.steps.map(start);
    // Every step ends before an error of one goes on: no provider call outlives its run unnoticed.
    const settled = await Promise.allSettled(all);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return execution;
  }

  #skip(step: Step, execution: Execution, why: Reason): void {
    for (const action of step.actions) {
      execution.outcomes.set(action.id, {
        action,
        state: 'skipped',
        reason: why,
        stateCode: StateCode.Untouched,
      });
    }
  }
}

/** One step: intents, calls with retries, outcomes. */
class StepRun {
  #calls = 0;

  constructor(
    private readonly step: Step,
    private readonly planned: PlannedRun,
    private readonly fence: Fence,
    private readonly control: RunControl,
    private readonly execution: Execution,
    private readonly ledger: Ledger,
    private readonly planner: RunPlanner,
    private readonly calls: ProviderCalls,
    private readonly options: ExecutorOptions,
  ) {}

  async run(): Promise<void> {
    const startedAt = new Date().toISOString();
    const actions = this.#withoutBlocked();
    if (actions.length > 0) await this.#apply(actions);
    this.execution.steps.push({
      step: this.step,
      startedAt,
      endedAt: new Date().toISOString(),
      calls: this.#calls,
    });
  }

  #withoutBlocked(): Action[] {
    const states = new Map([...this.execution.outcomes].map(([id, outcome]) => [id, stateOf(outcome)]));
    const { run, blocked } = runnableActions(this.step, states);
    for (const { action, by } of blocked) {
      this.#record(action, 'blocked', reason('DependencyFailed', `It waits for ${by}.`), StateCode.Untouched);
    }
    return run;
  }

  async #apply(actions: Action[]): Promise<void> {
    const { dryRun } = this.planned.deployment;
    if (!dryRun)
      await this.ledger.begin(
        this.fence,
        actions.map((action) => this.#intentOf(action)),
      );
    let site: CallSite;
    try {
      site = await this.planner.site({ ...this.step, targetName: this.step.target }, this.planned, {
        stop: this.control.stop,
        cancel: this.control.superseded,
      });
    } catch (error) {
      this.#failAll(actions, error);
      return;
    }
    let open = actions;
    for (let attempt = 1; open.length > 0; attempt++) {
      const results = await this.#call(site, open);
      if (!results) return;
      await this.#settle(open, results);
      open = open.filter((action) => mayPass(results[action.component]));
      if (open.length === 0 || attempt >= this.options.tries) return;
      if (!(await this.#pause(attempt))) return;
    }
  }

  /** @returns undefined when nothing can be said about single components; the failure is recorded then. */
  async #call(
    site: CallSite,
    actions: readonly Action[],
  ): Promise<Record<string, ComponentResultSpec> | undefined> {
    const { deployment } = this.planned;
    for (let attempt = 1; ; attempt++) {
      try {
        const steps = await Promise.all(actions.map((action) => this.#componentStep(action)));
        this.#calls++;
        return await this.calls.apply(site, {
          deployment: toWireDeployment(deployment, {
            activeTarget: this.step.target,
            components: steps.map((item) => item.component),
          }),
          owner: deployment.owner,
          target: targetOf({ targetUid: this.step.targetUid, targetName: this.step.target }, deployment),
          role: this.step.role,
          scope: this.step.scope,
          steps,
          dryRun: deployment.dryRun,
          isFirst: this.step.isFirst,
        });
      } catch (error) {
        const passing = error instanceof CallFailure && error.reason.code === 'ProviderFailed';
        if (passing && attempt < this.options.tries && (await this.#pause(attempt))) continue;
        this.#failAll(actions, error);
        return undefined;
      }
    }
  }

  async #componentStep(action: Action): Promise<ComponentStep> {
    if (action.kind === 'delete') {
      const entry = this.#entryOf(action);
      const component = entry
        ? await this.planned.values.applied(entry, this.planned.deployment)
        : { name: action.component };
      return { action: 'delete', component };
    }
    const resolved = this.planned.resolvedOf(action.target, action.component);
    if (!resolved) throw new Error(`the plan applies ${action.component}, which was not resolved`);
    return { action: 'update', component: resolved.component };
  }

  async #settle(actions: readonly Action[], results: Record<string, ComponentResultSpec>): Promise<void> {
    const good = actions.filter(
      (action) => !isFailure(results[action.component]?.status ?? StateCode.Untouched),
    );
    if (!this.planned.deployment.dryRun) {
      await this.ledger.settle(
        this.fence,
        this.planned.deployment.owner.uid,
        good.map((action) => this.#outcomeOf(action)),
      );
    }
    for (const action of actions) {
      const result = results[action.component];
      if (good.includes(action)) {
        const code = action.kind === 'delete' ? StateCode.Deleted : StateCode.Updated;
        this.#record(action, 'ok', action.reason, result && !isSilent(result) ? result.status : code);
      } else {
        this.#record(
          action,
          'failed',
          failureReason(result, this.planned.values.redact),
          result?.status ?? 500,
        );
      }
    }
  }

  #failAll(actions: readonly Action[], error: unknown): void {
    if (!(error instanceof CallFailure)) throw error;
    for (const action of actions) {
      const stateCode = error.stateCode === 500 ? failedCode(action) : error.stateCode;
      this.#record(action, error.unknown ? 'unknown' : 'failed', error.reason, stateCode);
    }
  }

  /** @returns false when the run has better things to do than to wait. */
  async #pause(attempt: number): Promise<boolean> {
    const { stop, superseded } = this.control;
    if (stop.aborted || superseded.aborted) return false;
    const delay = this.options.retryDelayMs * 2 ** (attempt - 1);
    return new Promise((resolve) => {
      const end = (passed: boolean): void => {
        clearTimeout(timer);
        stop.removeEventListener('abort', cut);
        superseded.removeEventListener('abort', cut);
        resolve(passed);
      };
      const cut = (): void => end(false);
      const timer = setTimeout(() => end(true), delay);
      stop.addEventListener('abort', cut);
      superseded.addEventListener('abort', cut);
    });
  }

  #intentOf(action: Action): LedgerEntry {
    const existing = this.#entryOf(action);
    const { deployment } = this.planned;
    const state = action.kind === 'delete' ? 'removing' : 'intent';
    if (existing) return { ...existing, state, generation: deployment.generation };
    return {
      ...this.#keyOf(action),
      owner: deployment.owner,
      targetName: this.step.target,
      scope: this.step.scope,
      binding: this.step.binding,
      applied: this.#declared(action),
      digest: '',
      state,
      generation: deployment.generation,
      updatedAt: new Date().toISOString(),
    };
  }

  #outcomeOf(action: Action): LedgerOutcome {
    const key = this.#keyOf(action);
    if (action.kind === 'delete') return { kind: 'removed', key };
    const digest = this.planned.resolvedOf(action.target, action.component)?.digest ?? '';
    return {
      kind: 'applied',
      key,
      applied: this.#declared(action),
      digest,
      generation: this.planned.deployment.generation,
    };
  }

  #entryOf(action: Action): LedgerEntry | undefined {
    return this.planned.entryOf(this.#keyOf(action));
  }

  #keyOf(action: Action): LedgerKey {
    return {
      targetUid: this.step.targetUid,
      component: action.component,
      role: this.step.role,
      provider: this.step.binding.provider,
      bindingHash: this.step.bindingHash,
    };
  }

  /** The component as declared: the ledger never holds resolved values. */
  #declared(action: Action): ComponentSpec {
    return this.planned.declared(action.component) ?? { name: action.component };
  }

  #record(action: Action, state: ActionOutcome['state'], why: Reason, stateCode: number): void {
    this.execution.outcomes.set(action.id, { action, state, reason: why, stateCode });
  }
}

function stateOf(outcome: ActionOutcome): ActionState {
  return outcome.state === 'skipped' ? 'unknown' : outcome.state;
}

function failedCode(action: Action): number {
  return action.kind === 'delete' ? StateCode.DeleteFailed : StateCode.UpdateFailed;
}

function isSilent(result: ComponentResultSpec): boolean {
  return result.status === StateCode.Untouched;
}

/** A refused component stays refused until it is changed; other failures may pass. */
function mayPass(result: ComponentResultSpec | undefined): boolean {
  return result !== undefined && isFailure(result.status) && !isRefusal(result.status);
}

function isRefusal(status: number): boolean {
  return (
    status === StateCode.ValidateFailed || (status >= 400 && status < 500) || status === StateCode.BadConfig
  );
}

function failureReason(result: ComponentResultSpec | undefined, redact: (text: string) => string): Reason {
  const status = result?.status ?? 500;
  const detail = redact(result?.message ?? '');
  if (status === 409) return { code: 'OwnedByOther', message: detail };
  return reason(
    isRefusal(status) ? 'ValidationFailed' : 'ProviderFailed',
    detail === '' ? undefined : detail,
  );
}
