import { evaluateTemplate, type LookupTable } from '@symphony/expressions';
import type { ComponentSpec, DeploymentTarget } from '@symphony/model';

/**
 * The value of a constraint on a target: the component belongs there when it is true, or the text `true`.
 * @throws ExpressionError (`ExpressionMissingValue` means "no match"), or LookupNeeded, which is passed through.
 */
export type ConstraintCheck = (text: string, target: DeploymentTarget, component: ComponentSpec) => unknown;

/** Symphony's way: the properties of the target are in sight; `$config` and `$secret` need a table of look-ups. */
export function constraintCheck(lookups?: LookupTable): ConstraintCheck {
  return (text, target, component) =>
    evaluateTemplate(text, {
      target: target.name,
      component: component.name,
      properties: target.spec.properties ?? {},
      ...(lookups ? { lookups } : {}),
    }).value;
}
