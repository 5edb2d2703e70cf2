import {
  Annotation,
  TARGET_RUNTIME_PREFIX,
  toWire,
  type ComponentSpec,
  type Deployment,
  type DeploymentOwner,
  type DeploymentTarget,
  type PostedState,
  type SolutionSpec,
  type StoredObject,
} from '@symphony/model';
import { DeploymentError } from '../errors.js';
import { sortByDependencies } from '../order.js';
import { matchTargets } from '../targets.js';
import { assignByConstraint, type Assigned } from './assign.js';
import { scopeOf } from './binding.js';
import { constraintCheck, type ConstraintCheck } from './constraint.js';
import { deploymentHash } from './hash.js';

export interface InstanceInput {
  instance: StoredObject<'Instance'>;
  /** Undefined only where it was read and is not there; a removal does not need it. */
  solution: StoredObject<'Solution'> | undefined;
  /** All targets of the namespace. */
  targets: readonly StoredObject<'Target'>[];
  jobId: string;
  /** Default: `constraintCheck()`. */
  constraint?: ConstraintCheck;
}

export interface TargetInput {
  target: StoredObject<'Target'>;
  jobId: string;
  constraint?: ConstraintCheck;
}

const NOTHING: Assigned = { assignments: [], gaps: [], notes: [] };

/**
 * The desired state of an instance.
 * @throws DeploymentError `SolutionNotFound`, `DependencyUnknown`, `DependencyCycle`, `ExpressionFailed`; a removal throws
 *   none of them, so that what cannot be deployed any more can still be removed.
 * @throws LookupNeeded when a constraint wants a value from outside.
 */
export function generateForInstance(input: InstanceInput): Deployment {
  const { instance, solution, jobId } = input;
  const { spec } = instance;
  const deleting = instance.deletionTimestamp !== undefined;
  const removal = deleting || spec.activeState === 'inactive';
  if (!solution && !removal) {
    throw new DeploymentError('SolutionNotFound', `There is no solution ${JSON.stringify(spec.solution)}.`);
  }
  const { matched, mismatches } = matchTargets(
    spec.target,
    input.targets.map((target) => ({
      name: target.name,
      spec: target.spec,
      deleting: target.deletionTimestamp !== undefined,
    })),
  );
  const targets = deploymentTargets(input.targets, matched);
  const scopeOn = (target: DeploymentTarget): string => scopeOf(spec.scope, target.spec.solutionScope);
  const declared = solution?.spec.components ?? [];
  const components = removal ? sortedIfPossible(declared) : sortByDependencies(declared);
  const assigned = removal
    ? NOTHING
    : assignByConstraint(components, targets, scopeOn, input.constraint ?? constraintCheck());
  // A deletion is meant: the record goes with it, and what a dry run left deployed would be forgotten.
  const dryRun = spec.isDryRun === true && !deleting;
  const allowEmpty = allowsEmpty(instance);
  return {
    owner: { kind: 'Instance', namespace: instance.namespace, name: instance.name, uid: instance.uid },
    generation: String(instance.generation),
    hash: deploymentHash({
      ownerUid: instance.uid,
      removal,
      dryRun,
      allowEmpty,
      instance: spec,
      ...(solution ? { solution: { name: solution.name, spec: solution.spec } } : {}),
      targets,
    }),
    jobId,
    removal,
    ...(removal ? { removalReason: deleting ? 'OwnerDeleting' : 'Inactive' } : {}),
    dryRun,
    allowEmpty,
    components,
    targets,
    ...assigned,
    mismatches,
    parameters: spec.parameters ?? {},
    metadata: { ...solution?.spec.metadata, ...spec.metadata },
    solution: {
      name: solution?.name ?? spec.solution,
      state: solution ? stateOf(solution) : bareState(spec.solution, instance.namespace, {}),
    },
    instance: stateOf(instance),
  };
}

/**
 * The desired state of a target's own components, through the instance and solution that Symphony makes up for them.
 * @throws DeploymentError, LookupNeeded as `generateForInstance` does.
 */
export function generateForTarget(input: TargetInput): Deployment {
  const { target, jobId } = input;
  const { spec, namespace } = target;
  const removal = target.deletionTimestamp !== undefined;
  const targets: DeploymentTarget[] = [{ name: target.name, uid: target.uid, spec }];
  const scope = scopeOf(spec.scope, undefined);
  const declared = spec.components ?? [];
  const components = removal ? sortedIfPossible(declared) : sortByDependencies(declared);
  const assigned = removal
    ? NOTHING
    : assignByConstraint(components, targets, () => scope, input.constraint ?? constraintCheck());
  const dryRun = spec.isDryRun === true && !removal;
  const allowEmpty = allowsEmpty(target);
  const name = `${TARGET_RUNTIME_PREFIX}${target.name}`;
  const solutionSpec: SolutionSpec = { displayName: name, components };
  const instanceSpec = { displayName: name, scope, solution: name, target: { name: target.name } };
  const owner: DeploymentOwner = { kind: 'Target', namespace, name: target.name, uid: target.uid };
  return {
    owner,
    generation: String(target.generation),
    hash: deploymentHash({
      ownerUid: target.uid,
      removal,
      dryRun,
      allowEmpty,
      solution: { name, spec: { components: declared } },
      targets,
    }),
    jobId,
    removal,
    ...(removal ? { removalReason: 'OwnerDeleting' } : {}),
    dryRun,
    allowEmpty,
    components,
    targets,
    ...assigned,
    mismatches: [],
    parameters: {},
    metadata: {},
    solution: { name, state: bareState(name, namespace, solutionSpec) },
    instance: bareState(name, namespace, instanceSpec, guidOf(target)),
  };
}

/** The matched targets, sorted by name. */
function deploymentTargets(
  targets: readonly StoredObject<'Target'>[],
  matched: readonly string[],
): DeploymentTarget[] {
  const byName = new Map(targets.map((target) => [target.name, target]));
  return matched.flatMap((name) => {
    const target = byName.get(name);
    return target ? [{ name, uid: target.uid, spec: target.spec }] : [];
  });
}

/** A removal goes by the ledger; the order of a broken solution must not stand in its way. */
function sortedIfPossible(components: readonly ComponentSpec[]): ComponentSpec[] {
  try {
    return sortByDependencies(components);
  } catch (error) {
    if (error instanceof DeploymentError) return [...components];
    throw error;
  }
}

function allowsEmpty(object: StoredObject): boolean {
  return object.annotations[Annotation.AllowEmpty] === 'true';
}

function guidOf(object: StoredObject): Record<string, unknown> {
  const guid = object.annotations[Annotation.Guid];
  return guid === undefined ? {} : { annotations: { [Annotation.Guid]: guid } };
}

function stateOf(object: StoredObject): PostedState {
  const { metadata, spec } = toWire(object);
  return { metadata: { ...metadata }, spec };
}

function bareState(
  name: string,
  namespace: string,
  spec: object,
  metadata: Record<string, unknown> = {},
): PostedState {
  return { metadata: { ...metadata, name, namespace }, spec };
}
