import pLimit from 'p-limit';
import type { Step } from '@symphony/model';
import type { Fence, RunControl } from '../queue/index.js';
import type { PlannedRun, ProviderCalls, RunPlanner } from '../solution/index.js';
import { reasonToSkip, skipActions, type Execution } from './execution.js';
import type { Ledger } from './ledger.js';
import { StepRun, type StepOptions } from './step-run.js';

export interface ExecutorOptions extends StepOptions {
  /** Steps in progress at once in one run. */
  stepsAtOnce: number;
}

const DEFAULTS: ExecutorOptions = {
  stepsAtOnce: 16,
  tries: 3,
  retryDelayMs: 200,
  reportWithinMs: 24 * 3_600_000,
};

/** A step that takes longer holds no other one back: targets that hang must not use up what the others need. */
const SLOW_STEP_MS = 5_000;

/** Resolves when the work has ended, or takes long. */
function untilSlow(work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, SLOW_STEP_MS);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    work.then(end, end);
  });
}

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
    const { planner, calls, ledger } = this;
    const context = {
      planned: run,
      fence,
      control,
      execution,
      planner,
      calls,
      ledger,
      options: this.#options,
    };
    const limit = pLimit(this.#options.stepsAtOnce);
    const ended = new Map<string, Promise<void>>();
    const start = (step: Step): Promise<void> => {
      const known = ended.get(step.id);
      if (known) return known;
      const before = step.after.flatMap((id) => {
        const earlier = steps.get(id);
        return earlier ? [start(earlier)] : [];
      });
      const carryOut = async (): Promise<void> => {
        const skip = reasonToSkip(control, before.length > 0);
        if (skip) skipActions(step.actions, execution, skip);
        else await new StepRun(step, context).run();
        onProgress(execution);
      };
      const inTurn = async (): Promise<void> => {
        await Promise.all(before);
        let work: Promise<void> | undefined;
        await limit(() => {
          work = carryOut();
          return untilSlow(work);
        });
        await work;
      };
      const done = inTurn();
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
}
