import type { Action, Step } from '@symphony/model';

/** How an action ended; `unknown`: it was called, and nobody can say what came of it. */
export type ActionOutcome = 'ok' | 'failed' | 'blocked' | 'unknown';

/** How actions ended, by id. */
export type Outcomes = Pick<ReadonlyMap<string, ActionOutcome>, 'get'>;

/** The id of the first requirement that did not succeed (or has not ended), or undefined when nothing blocks the action. */
export function blockedBy(action: Pick<Action, 'requires'>, outcomes: Outcomes): string | undefined {
  return action.requires.find((id) => outcomes.get(id) !== 'ok');
}

/** What of a step can be called now that the steps before it have ended. */
export interface Runnable {
  run: Action[];
  /** `by`: the id of what blocks it; in the order of the step. */
  blocked: { action: Action; by: string }[];
}

/** Requirements within the step count as met, as its provider keeps to the order, unless they are blocked themselves. */
export function runnableActions(step: Pick<Step, 'actions'>, outcomes: Outcomes): Runnable {
  const result: Runnable = { run: [], blocked: [] };
  const here = new Map<string, ActionOutcome>();
  const soFar = { get: (id: string) => here.get(id) ?? outcomes.get(id) };
  for (const action of step.actions) {
    const by = blockedBy(action, soFar);
    if (by === undefined) result.run.push(action);
    else result.blocked.push({ action, by });
    here.set(action.id, by === undefined ? 'ok' : 'blocked');
  }
  return result;
}
