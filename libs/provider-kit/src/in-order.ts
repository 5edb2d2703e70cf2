import { isFailure, StateCode, type ComponentResultSpec } from '@symphony/model';
import type { ApplyResults, ComponentStep } from './contract.js';

/**
 * Applies the components of a step, several at once, each after those of the step that it depends on. A component whose
 * prerequisite failed is not applied (8001); the removal of one waits for the removal of all that depend on it, and goes
 * on whatever became of them.
 *
 * @param atOnce how many components are worked on at the same time
 * @param apply answers for one component. Once it rejects, no further component is begun.
 * @throws what `apply` rejected with first, after everything that had begun has ended
 */
export async function applyInOrder(
  steps: readonly ComponentStep[],
  atOnce: number,
  apply: (step: ComponentStep) => Promise<ComponentResultSpec>,
): Promise<ApplyResults> {
  const results = new Map<string, ComponentResultSpec>();
  const prerequisites = prerequisitesOf(steps);
  const waiting = new Set(steps);
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const start = (step: ComponentStep): void => {
    const work = apply(step)
      .then(
        (result) => void results.set(step.component.name, result),
        (error: unknown) => void errors.push(error),
      )
      .finally(() => running.delete(work));
    running.add(work);
  };
  while (waiting.size > 0 && errors.length === 0) {
    const isDone = (step: ComponentStep): boolean => results.has(step.component.name);
    let ready = [...waiting].filter((step) => prerequisites.get(step)?.every(isDone));
    // They all wait for each other: the order of the step decides.
    if (ready.length === 0 && running.size === 0) ready = [...waiting].slice(0, 1);
    for (const step of ready.slice(0, atOnce - running.size)) {
      waiting.delete(step);
      const missing = failedPrerequisite(step, results);
      if (missing === undefined) start(step);
      else results.set(step.component.name, notApplied(missing));
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

function failedPrerequisite(
  step: ComponentStep,
  results: ReadonlyMap<string, ComponentResultSpec>,
): string | undefined {
  if (step.action === 'delete') return undefined;
  return step.component.dependencies?.find((name) => isFailure(results.get(name)?.status ?? StateCode.OK));
}

function notApplied(missing: string): ComponentResultSpec {
  return {
    status: StateCode.UpdateFailed,
    message: `not applied, because it depends on '${missing}', which failed`,
  };
}
