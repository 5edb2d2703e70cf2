import { StateCode } from '@symphony/model';
import type { ApplyResults, ComponentStep } from './contract.js';
import { validateComponent, type ValidationRule } from './validation-rule.js';

/** What a provider may apply of a step, and what it refuses. */
export interface Admission {
  /** In the order of the step. */
  admitted: ComponentStep[];
  /** Results of the refused components. Their messages name properties, never values. */
  refused: ApplyResults;
}

/**
 * Sorts out the components that break the provider's rule (8003 ValidateFailed), and those of the same step that depend
 * on them (8001 UpdateFailed): applying these would act on a prerequisite that is not there. Deletions are never
 * refused: what was applied under an older rule must remain removable.
 */
export function admit(rule: ValidationRule, steps: readonly ComponentStep[]): Admission {
  const refused = new Map<string, ApplyResults[string]>();
  const admitted: ComponentStep[] = [];
  for (const step of steps) {
    const { component } = step;
    const problems = step.action === 'delete' ? [] : validateComponent(rule, component);
    const missing = (component.dependencies ?? []).find((name) => refused.has(name));
    if (problems.length > 0) {
      const message = problems.map((problem) => `${problem.path}: ${problem.message}`).join('; ');
      refused.set(component.name, { status: StateCode.ValidateFailed, message });
    } else if (missing !== undefined && step.action === 'update') {
      const message = `not applied, because it depends on '${missing}', which was refused`;
      refused.set(component.name, { status: StateCode.UpdateFailed, message });
    } else {
      admitted.push(step);
    }
  }
  return { admitted, refused: Object.fromEntries(refused) };
}
