import { ExpressionError, gatherLookups, isMissingValue } from '@symphony/expressions';
import {
  bindingOf,
  reason,
  roleOf,
  type Assignment,
  type AssignmentGap,
  type BindingSpec,
  type ComponentSpec,
  type ConstraintNote,
  type DeploymentTarget,
} from '@symphony/model';
import { DeploymentError } from '../errors.js';
import { bindingHashOf } from './binding.js';
import type { ConstraintCheck } from './constraint.js';

/** Which component goes where, and what stands in the way. */
export interface Assigned {
  assignments: Assignment[];
  gaps: AssignmentGap[];
  notes: ConstraintNote[];
}

export interface Pair {
  component: ComponentSpec;
  target: DeploymentTarget;
}

/** Every component on every target where its constraint holds: in component order, then by target. */
export function assignByConstraint(
  components: readonly ComponentSpec[],
  targets: readonly DeploymentTarget[],
  scopeOn: (target: DeploymentTarget) => string,
  constraint: ConstraintCheck,
): Assigned {
  const notes: ConstraintNote[] = [];
  const all = components.flatMap((component) => targets.map((target) => ({ component, target })));
  const holds = gatherLookups(all, (pair) => constraintHolds(pair, constraint, notes));
  const pairs = all.filter((_, index) => holds[index]);
  return { ...assignPairs(pairs, scopeOn), notes };
}

/** Looks up the provider of each pair; a pair whose target offers none becomes a gap, and the others are unaffected. */
export function assignPairs(
  pairs: readonly Pair[],
  scopeOn: (target: DeploymentTarget) => string,
): Pick<Assigned, 'assignments' | 'gaps'> {
  const hashOf = hashesOfPlaces();
  const assignments: Assignment[] = [];
  const gaps: AssignmentGap[] = [];
  for (const { component, target } of pairs) {
    const role = roleOf(component);
    const binding = bindingOf(target.spec, role);
    if (!binding) {
      const detail = `Target ${JSON.stringify(target.name)} offers no role ${JSON.stringify(role)} for component ${JSON.stringify(component.name)}.`;
      gaps.push({ target: target.name, component: component.name, reason: reason('RoleNotOffered', detail) });
      continue;
    }
    const scope = scopeOn(target);
    const bindingHash = hashOf(binding, scope);
    assignments.push({ target: target.name, component: component.name, role, binding, bindingHash, scope });
  }
  return { assignments, gaps };
}

/** Many components share few places, and a hash is costly. */
function hashesOfPlaces(): typeof bindingHashOf {
  const known = new Map<BindingSpec, Map<string, string>>();
  return (binding, scope) => {
    const byScope = known.get(binding) ?? new Map<string, string>();
    known.set(binding, byScope);
    const hash = byScope.get(scope) ?? bindingHashOf(binding, scope);
    byScope.set(scope, hash);
    return hash;
  };
}

function constraintHolds(
  { component, target }: Pair,
  constraint: ConstraintCheck,
  notes: ConstraintNote[],
): boolean {
  const text = component.constraints;
  if (!text) return true;
  try {
    const value = constraint(text, target, component);
    return value === true || value === 'true';
  } catch (error) {
    if (isMissingValue(error)) {
      notes.push({ target: target.name, component: component.name, why: error.message });
      return false;
    }
    // Anything else is a question (LookupNeeded) or a bug: not ours to judge.
    if (!(error instanceof ExpressionError)) throw error;
    const where = `The constraint of component ${JSON.stringify(component.name)} failed on target ${JSON.stringify(target.name)}: ${error.message}`;
    throw new DeploymentError('ExpressionFailed', where, error.problems, { cause: error });
  }
}
