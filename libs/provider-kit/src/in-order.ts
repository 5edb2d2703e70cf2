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
  const dependents = new Map<ComponentStep, ComponentStep[]>();
  const open = new Map<ComponentStep, number>();
  for (const [step, others] of prerequisites) {
    open.set(step, others.length);
    for (const other of others) dependents.set(other, [...(dependents.get(other) ?? []), step]);
  }
  const waiting = new Set(steps);
  const ready = steps.filter((step) => open.get(step) === 0);
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const end = (step: ComponentStep, result: ApplyResult): void => {
    const { name } = step.component;
    results.set(name, result);
    onResult?.(name, result);
    for (const dependent of dependents.get(step) ?? []) {
      const left = (open.get(dependent) ?? 0) - 1;
      open.set(dependent, left);
      if (left === 0 && waiting.has(dependent)) ready.push(dependent);
    }
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
  for (let next = 0; waiting.size > 0 && errors.length === 0;) {
    // They all wait for each other: the order of the step decides.
    if (next >= ready.length && running.size === 0) ready.push(...[...waiting].slice(0, 1));
    for (; next < ready.length && running.size < atOnce; next++) {
      const step = ready[next];
      if (!step || !waiting.delete(step)) continue;
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
    for (const name of new Set(step.component.dependencies)) {
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
