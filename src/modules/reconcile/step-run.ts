import {
  isFailure,
  reason,
  StateCode,
  type Action,
  type ComponentSpec,
  type LedgerEntry,
  type LedgerKey,
  type Reason,
  type Step,
} from '@symphony/model';
import {
  blockedBy,
  runnableActions,
  type ActionOutcome as ActionState,
  type Outcomes,
} from '@symphony/planning';
import type { ApplyResult, ApplyResults, ComponentStep } from '@symphony/provider-kit';
import type { EngineEvents } from '../events/index.js';
import type { Fence, RunControl } from '../queue/index.js';
import {
  CallFailure,
  type CallSite,
  type PlannedRun,
  type ProviderCalls,
  type RunPlanner,
} from '../solution/index.js';
import { failedCode, failureReason, isSilent, mayPass } from './component-results.js';
import { reasonToSkip, skipActions, type ActionOutcome, type Execution } from './execution.js';
import { TargetGoneError, type Ledger, type LedgerOutcome } from './ledger.js';
import { pendingOutcome } from './pending-outcomes.js';
import { batchesOf, wavesOf } from './waves.js';

export interface StepOptions {
  /** Calls per step, the first included, while the provider reports failures that may pass. */
  tries: number;
  /** Milliseconds before the second try; doubles. */
  retryDelayMs: number;
  /** How long a report on what is pending is waited for, where neither the provider's answer nor its kind says so. */
  reportWithinMs: number;
  /** Told about each step that was begun, for metrics. */
  onStep?: (step: EngineEvents['step.finished']) => void;
}

const BY_GRAVITY = ['unknown', 'failed', 'blocked', 'pending', 'skipped'] as const;

/** What the steps of one run share. */
export interface StepContext {
  planned: PlannedRun;
  fence: Fence;
  control: RunControl;
  execution: Execution;
  ledger: Ledger;
  planner: RunPlanner;
  calls: ProviderCalls;
  options: StepOptions;
}

/**
 * One step: intents, calls with retries, outcomes. What depends on something in the same step is called after that has
 * succeeded, unless the provider keeps the order by itself: else nothing within a call would stop it after a failure.
 */
export class StepRun {
  #calls = 0;

  constructor(
    private readonly step: Step,
    private readonly context: StepContext,
  ) {}

  async run(): Promise<void> {
    const startedAt = new Date().toISOString();
    const began = performance.now();
    for (const [index, part] of (await this.#parts()).entries()) {
      const skip = reasonToSkip(this.context.control, index > 0);
      if (skip) skipActions(part, this.context.execution, skip);
      else {
        const actions = this.#withoutBlocked(part);
        if (actions.length > 0) await this.#apply(actions, this.step.isFirst && index === 0);
      }
    }
    this.context.execution.steps.push({
      step: this.step,
      startedAt,
      endedAt: new Date().toISOString(),
      calls: this.#calls,
    });
    this.context.options.onStep?.({
      provider: this.step.binding.provider,
      outcome: this.#worst(),
      durationMs: performance.now() - began,
    });
  }

  /** What is called together. */
  async #parts(): Promise<Action[][]> {
    const waves = wavesOf(this.step);
    if (waves.length === 1) return waves;
    try {
      const { binding, config } = await this.#site();
      return this.context.calls.provider(binding, config).keepsOrder ? batchesOf(this.step) : waves;
    } catch (error) {
      // Each wave meets it again, and says so.
      if (error instanceof CallFailure) return waves;
      throw error;
    }
  }

  #site(): Promise<CallSite> {
    const { planner, planned, control } = this.context;
    const { stop, superseded: cancel, waitsFor } = control;
    return planner.site(this.#place, planned, { stop, cancel, waitsFor });
  }

  /** The least welcome state that an action of this step is in. */
  #worst(): string {
    const { outcomes } = this.context.execution;
    const states = new Set(this.step.actions.map(({ id }) => outcomes.get(id)?.state));
    return BY_GRAVITY.find((state) => states.has(state)) ?? 'ok';
  }

  #withoutBlocked(actions: Action[]): Action[] {
    const { run, blocked } = runnableActions({ actions }, this.#states);
    for (const { action, by } of blocked) this.#block(action, by);
    return run;
  }

  #block(action: Action, by: string): void {
    this.#record(action, 'blocked', reason('DependencyFailed', `It waits for ${by}.`), StateCode.Untouched);
  }

  get #states(): Outcomes {
    const { outcomes } = this.context.execution;
    return {
      get: (id) => {
        const outcome = outcomes.get(id);
        return outcome && stateOf(outcome);
      },
    };
  }

  async #apply(actions: Action[], isFirst: boolean): Promise<void> {
    let site: CallSite;
    try {
      site = await this.#site();
    } catch (error) {
      this.#failAll(actions, error);
      return;
    }
    let open = actions;
    for (let attempt = 1; open.length > 0; attempt++) {
      const results = await this.#call(site, open, isFirst);
      if (!results) return;
      await this.#settle(open, results);
      open = this.#withoutBlocked(open.filter((action) => mayPass(results[action.component])));
      if (open.length === 0 || attempt >= this.context.options.tries) return;
      if (!(await this.#pause(attempt))) return;
    }
  }

  /** @returns undefined when nothing can be said about single components; the failure is recorded then. */
  async #call(
    site: CallSite,
    actions: readonly Action[],
    isFirst: boolean,
  ): Promise<ApplyResults | undefined> {
    const { deployment, targets } = this.context.planned;
    const told: ApplyResults = {};
    let open = actions;
    for (let attempt = 1; ; attempt++) {
      try {
        const steps = await Promise.all(open.map((action) => this.#componentStep(action)));
        await this.#begin(open);
        this.#calls++;
        const results = await this.context.calls.apply(site, {
          deployment: targets.wire(
            this.#place,
            steps.map((item) => item.component),
          ),
          owner: deployment.owner,
          target: targets.of(this.#place),
          role: this.step.role,
          scope: this.step.scope,
          exclusive: true,
          steps,
          dryRun: deployment.dryRun,
          isFirst,
          onResult: (component, result) => (told[component] = result),
        });
        return { ...told, ...results };
      } catch (error) {
        // What was told before the call was cut short is known; only the rest is open.
        open = open.filter((action) => !told[action.component]);
        if (open.length === 0) return told;
        const passing = error instanceof CallFailure && error.reason.code === 'ProviderFailed';
        if (passing && attempt < this.context.options.tries && (await this.#pause(attempt))) continue;
        if (!(error instanceof CallFailure) && !(error instanceof TargetGoneError)) throw error;
        const known = actions.filter((action) => told[action.component]);
        if (known.length > 0) await this.#settle(known, told);
        this.#failAll(open, error);
        return undefined;
      }
    }
  }

  /** Directly before each call, so that a run whose lane was taken over makes no further one. */
  async #begin(actions: readonly Action[]): Promise<void> {
    const { planned, ledger, fence } = this.context;
    if (planned.deployment.dryRun) return;
    await ledger.begin(
      fence,
      actions.map((action) => this.#intentOf(action)),
    );
  }

  async #componentStep(action: Action): Promise<ComponentStep> {
    if (action.kind === 'delete') {
      const { values, deployment, targets } = this.context.planned;
      const entry = this.#entryOf(action);
      const component = entry
        ? await values.applied(entry, deployment, targets.of(this.#place))
        : { name: action.component };
      return { action: 'delete', component };
    }
    const resolved = this.context.planned.resolvedOf(action.target, action.component);
    if (!resolved) throw new Error(`the plan applies ${action.component}, which was not resolved`);
    return { action: 'update', component: resolved.component };
  }

  async #settle(actions: readonly Action[], results: ApplyResults): Promise<void> {
    const pending = actions.flatMap((action) => {
      const result = results[action.component];
      return result?.pending ? [this.#pendingOf(action, result)] : [];
    });
    const accepted = new Set(pending.map(({ outcome }) => outcome.action));
    const good = new Set(
      actions.filter(
        (action) =>
          !accepted.has(action) && !isFailure(results[action.component]?.status ?? StateCode.Untouched),
      ),
    );
    if (!this.context.planned.deployment.dryRun) {
      await this.context.ledger.settle(this.context.fence, this.context.planned.deployment.owner.uid, [
        ...[...good].map((action) => this.#outcomeOf(action)),
        ...pending.map(({ ledger }) => ledger),
      ]);
    }
    for (const { outcome } of pending) this.context.execution.outcomes.set(outcome.action.id, outcome);
    for (const action of actions) {
      const result = results[action.component];
      if (accepted.has(action)) continue;
      const by = good.has(action) ? undefined : blockedBy(action, this.#states);
      if (by !== undefined) this.#block(action, by);
      else if (good.has(action)) {
        const code = action.kind === 'delete' ? StateCode.Deleted : StateCode.Updated;
        this.#record(action, 'ok', action.reason, result && !isSilent(result) ? result.status : code);
      } else {
        this.#record(
          action,
          'failed',
          failureReason(result, this.context.planned.values.redact),
          result?.status ?? 500,
        );
      }
    }
  }

  #failAll(actions: readonly Action[], error: unknown): void {
    if (error instanceof TargetGoneError) {
      for (const action of actions) {
        this.#record(action, 'failed', reason('TargetNotFound', error.message), failedCode(action));
      }
      return;
    }
    if (!(error instanceof CallFailure)) throw error;
    for (const action of actions) {
      const stateCode = error.stateCode === 500 ? failedCode(action) : error.stateCode;
      this.#record(action, error.unknown ? 'unknown' : 'failed', error.reason, stateCode, error.silentMs);
    }
  }

  /** @returns false when the run has better things to do than to wait. */
  async #pause(attempt: number): Promise<boolean> {
    const { stop, superseded } = this.context.control;
    if (stop.aborted || superseded.aborted) return false;
    const delay = this.context.options.retryDelayMs * 2 ** (attempt - 1);
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
    const { deployment } = this.context.planned;
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
    const digest = this.context.planned.resolvedOf(action.target, action.component)?.digest ?? '';
    return {
      kind: 'applied',
      key,
      applied: this.#declared(action),
      digest,
      generation: this.context.planned.deployment.generation,
    };
  }

  #pendingOf(action: Action, result: ApplyResult) {
    const { planned, calls, options } = this.context;
    return pendingOutcome(action, this.#keyOf(action), result, {
      applied: this.#declared(action),
      digest: planned.resolvedOf(action.target, action.component)?.digest ?? '',
      defaultMs: calls.reportWithinMs(this.step.binding) ?? options.reportWithinMs,
      redact: planned.values.redact,
    });
  }

  #entryOf(action: Action): LedgerEntry | undefined {
    return this.context.planned.entryOf(this.#keyOf(action));
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

  get #place() {
    return { ...this.step, targetName: this.step.target };
  }

  /** The component as declared: the ledger never holds resolved values. */
  #declared(action: Action): ComponentSpec {
    return this.context.planned.declared(action.component) ?? { name: action.component };
  }

  #record(
    action: Action,
    state: ActionOutcome['state'],
    why: Reason,
    stateCode: number,
    silentMs?: number,
  ): void {
    this.context.execution.outcomes.set(action.id, { action, state, reason: why, stateCode, silentMs });
  }
}

function stateOf(outcome: ActionOutcome): ActionState {
  return outcome.state === 'skipped' || outcome.state === 'pending' ? 'unknown' : outcome.state;
}
