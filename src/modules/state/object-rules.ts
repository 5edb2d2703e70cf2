import {
  type InstanceSpec,
  InvalidInputError,
  type ObjectKind,
  type Problem,
  type SolutionSpec,
  type StoredObject,
  type TargetSpec,
  VERSION_SEPARATOR,
} from '@symphony/model';
import type { ObjectWrite } from './object-store.js';

/**
 * Checks the rules that need more than one field.
 * @throws InvalidInputError
 */
export function checkObject({ kind, name, spec }: Pick<ObjectWrite, 'kind' | 'name' | 'spec'>): void {
  if (kind === 'Solution') checkRootResource(name, spec);
  if (kind === 'Instance') checkTargetGiven(spec as InstanceSpec);
}

function checkRootResource(name: string, { rootResource }: SolutionSpec): void {
  if (!rootResource) return;
  const prefix = rootResource + VERSION_SEPARATOR;
  if (name.startsWith(prefix) && name.length > prefix.length) return;
  const message = `says ${JSON.stringify(rootResource)}, so the name must be ${prefix}<version>, but it is ${name}`;
  throw invalid({ path: 'spec.rootResource', message });
}

function checkTargetGiven({ target }: InstanceSpec): void {
  if (target?.name || Object.keys(target?.selector ?? {}).length > 0) return;
  throw invalid({
    path: 'spec.target',
    message: 'must have a name or a selector with at least one property: which targets is this for?',
  });
}

/**
 * Checks what may not change once it is stored.
 * @throws InvalidInputError `ImmutableField`
 */
export function checkChange<K extends ObjectKind>(stored: StoredObject<K>, spec: object): void {
  const problems = immutabilityProblems(stored.kind, stored.spec, spec);
  const [first] = problems;
  if (!first) return;
  throw new InvalidInputError(
    `The change is not possible: ${first.path} ${first.message}.`,
    problems,
    'ImmutableField',
  );
}

/** The fields of any kind that are fixed once set. */
type Fixed = Partial<Pick<TargetSpec, 'scope' | 'isDryRun'> & Pick<SolutionSpec, 'rootResource'>>;

function immutabilityProblems(kind: ObjectKind, before: Fixed, after: Fixed): Problem[] {
  const fixed = kind === 'Solution' ? (['rootResource'] as const) : (['scope'] as const);
  const problems: Problem[] = [];
  for (const field of fixed) {
    const was = before[field];
    if (!was || was === after[field]) continue;
    const message = `is ${JSON.stringify(was)} and cannot be changed; delete the object and create it anew`;
    problems.push({ path: `spec.${field}`, message });
  }
  if (kind !== 'Solution' && after.isDryRun && !before.isDryRun) {
    const message = 'cannot be switched on for an object that is deployed; create another one for the trial';
    problems.push({ path: 'spec.isDryRun', message });
  }
  return problems;
}

function invalid(problem: Problem): InvalidInputError {
  return new InvalidInputError(`The input is not valid: ${problem.path} ${problem.message}.`, [problem]);
}
