import { reason, StateCode, type Action, type Reason, type Step } from '@symphony/model';
import type { ActionOutcome as ActionState } from '@symphony/planning';
import type { RunControl } from '../queue/index.js';

/** What became of one action. */
export interface ActionOutcome {
  action: Action;
  /** `unknown`: it may have happened or not. `skipped`: not begun. `pending`: accepted, to be reported. */
  state: ActionState | 'skipped' | 'pending';
  reason: Reason;
  /** Symphony's number for the result on the wire. */
  stateCode: number;
  /** Of a call that was cut short for others' sake: how long it had gone without an answer. */
  silentMs?: number;
}

interface StepOutcome {
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

/**
 * A newer order does not wait for what has not begun; what can begin at once does, so that a stream of changes still makes
 * progress.
 */
export function reasonToSkip({ stop, superseded }: RunControl, waited: boolean): Reason | undefined {
  if (stop.aborted) return reason('Interrupted');
  return superseded.aborted && waited ? reason('Superseded') : undefined;
}

export function skipActions(actions: readonly Action[], execution: Execution, why: Reason): void {
  for (const action of actions) {
    execution.outcomes.set(action.id, {
      action,
      state: 'skipped',
      reason: why,
      stateCode: StateCode.Untouched,
    });
  }
}
