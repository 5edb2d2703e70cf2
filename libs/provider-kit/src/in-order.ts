import { isFailure, StateCode } from '@symphony/model';
import type { ApplyCall, ApplyResult, ApplyResults, ComponentStep } from './contract.js';

/**
 * Applies the components of a step as `TargetProvider.keepsOrder` promises: several at once, each after those of the step
 * that it depends on. A component whose prerequisite failed or is pending is not applied (8001), nor removed (8002) while
 * something that depends on it could not be.
 *
 * @param atOnce how many components are worked on at the same time
 * @param apply answers for one component. Once it rejects, no further component is begun.
 * @param onResult told of each result as it is known
 * @throws what `apply` rejected with first, after everything that had begun has ended
 */
export async function applyInOrder(
  steps: readonly ComponentStep[],
  atOnce: number,
  apply: (step: ComponentStep) => Promise<ApplyResult>,
  onResult?: ApplyCall['onResult'],
): Promise<ApplyResults> {
  const results = new Map<string, ApplyResult>();
  const prerequisites = prerequisitesOf(steps);
  const waiting = new Set(steps);
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const end = ({ component: { name } }: ComponentStep, result: ApplyResult): void => {
    results.set(name, result);
    onResult?.(name, result);
  };
  const start = (step: ComponentStep): void => {
    const work = apply(step)
      .then(
        (result) => end(step, result),
        (error: unknown) => void errors.push(error),
      )
      .finally(() => running.delete(work));
    running.add(work);
  };
  while (waiting.size > 0 && errors.length === 0) {
    const hasEnded = (step: ComponentStep): boolean => results.has(step.component.name);
    let ready = [...waiting].filter((step) => prerequisites.get(step)?.every(hasEnded));
    // They all wait for each other: the order of the step decides.
    if (ready.length === 0 && running.size === 0) ready = [...waiting].slice(0, 1);
    for (const step of ready.slice(0, atOnce - running.size)) {
      waiting.delete(step);
      const missing = prerequisites.get(step)?.find((other) => !isDone(results.get(other.component.name)));
      if (missing === undefined) start(step);
      else end(step, leftOut(step, missing.component.name));
    }
    if (running.size > 0) await Promise.race(running);
  }
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
  return Object.fromEntries(results);
}

function prerequisitesOf(steps: readonly ComponentStep[]): Map<ComponentStep, ComponentStep[]> {
  const prerequisites = new Map<ComponentStep, ComponentStep[]>(steps.map((step) => [step, []]));
  const named = new Map(steps.map((step) => [step.component.name, step]));
  for (const step of steps) {
    for (const name of step.component.dependencies ?? []) {
      const other = named.get(name);
      if (!other || other === step) continue;
      if (step.action === 'delete') prerequisites.get(other)?.push(step);
      else prerequisites.get(step)?.push(other);
    }
  }
  return prerequisites;
}

/** One that has not ended belongs to a circle, which is cut open there. */
function isDone(result: ApplyResult | undefined): boolean {
  return result === undefined || (!result.pending && !isFailure(result.status));
}

function leftOut({ action }: ComponentStep, other: string): ApplyResult {
  return action === 'delete'
    ? {
        status: StateCode.DeleteFailed,
        message: `not removed, because '${other}', which depends on it, is still there`,
      }
    : {
        status: StateCode.UpdateFailed,
        message: `not applied, because it depends on '${other}', which is not there`,
      };
}
