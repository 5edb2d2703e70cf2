import {
  Annotation,
  checkName,
  DEFAULT_NAMESPACE,
  InstanceSpec,
  InvalidInputError,
  joinPath,
  parseAs,
  SolutionSpec,
  TargetSpec,
  type ComponentSpec,
  type Deployment,
  type DeploymentOwner,
  type DeploymentTarget,
  type PostedState,
  type Problem,
} from '@symphony/model';
import { sortByDependencies } from '../order.js';
import { assignPairs, type Pair } from './assign.js';
import { scopeOf } from './binding.js';
import { deploymentHash } from './hash.js';

export interface InlineInput {
  /** The decoded body: Symphony's DeploymentSpec, not yet checked. */
  wire: unknown;
  /** Used where the body names none; default `default`. */
  namespace?: string;
  /** `delete=true`: remove what was deployed under this name. */
  removal: boolean;
  /** Limits the deployment to one target; wins over `activeTarget` of the body. */
  activeTarget?: string;
  /** Uids of stored targets, by name; others get `inline:<namespace>:<name>`. */
  targetUids?: ReadonlyMap<string, string>;
  /** Wins over the uid `inline:<namespace>:<name>` that the owner gets otherwise. */
  ownerUid?: string;
}

/**
 * The desired state of a posted deployment: exactly the pairs of its `assignments` (`{c1}{c2}` per target); constraints
 * were the sender's business.
 * @throws InvalidInputError with the path of what is missing or wrong.
 * @throws DeploymentError `DependencyUnknown`, `DependencyCycle` unless it is a removal.
 */
export function generateInline(input: InlineInput): Deployment {
  const wire = fieldsAt(input.wire, '');
  const solution = stateAt(wire, 'solution');
  const instance = stateAt(wire, 'instance');
  const solutionName = textAt(wire, 'solutionName') || solution.metadata.name || instance.metadata.name;
  const solutionSpec = parseAs(SolutionSpec, solution.spec, 'solution.spec');
  const instanceSpec = parseAs(
    InstanceSpec,
    // Senders leave the name of the solution out: it is in the body itself.
    instanceFields(instance.spec, solutionName),
    'instance.spec',
  );
  const name = instance.metadata.name;
  if (!name) throw missing('instance.metadata.name', 'must be given: it is what the deployment is known by');
  checkName(name, 'instance.metadata.name');
  const namespace = textAt(wire, 'objectNamespace') || input.namespace || DEFAULT_NAMESPACE;
  const owner: DeploymentOwner = {
    kind: 'Inline',
    namespace,
    name,
    uid: input.ownerUid ?? `inline:${namespace}:${name}`,
  };
  const onlyTarget = input.activeTarget || textAt(wire, 'activeTarget') || undefined;
  const allTargets = targetsAt(wire, namespace, input.targetUids);
  const targets = allTargets.filter((target) => onlyTarget === undefined || target.name === onlyTarget);
  const inactive = flagAt(wire, 'isInActive') || instanceSpec.activeState === 'inactive';
  const removal = input.removal || inactive;
  if (onlyTarget !== undefined && targets.length === 0 && !removal) {
    throw missing('activeTarget', `names ${JSON.stringify(onlyTarget)}, which is not among the targets`);
  }
  const declared = solutionSpec.components ?? [];
  const components = removal ? declared : sortByDependencies(declared);
  const pairs = removal ? [] : pairsAt(wire, components, allTargets, targets);
  const dryRun = flagAt(wire, 'isDryRun') || instanceSpec.isDryRun === true;
  const allowEmpty = annotationOf(instance.metadata, Annotation.AllowEmpty) === 'true';
  const postedHash = textAt(wire, 'hash');
  return {
    owner,
    generation: textAt(wire, 'generation'),
    hash: deploymentHash({
      ownerUid: owner.uid,
      removal,
      dryRun,
      allowEmpty,
      instance: instanceSpec,
      solution: { name: solutionName, spec: solutionSpec },
      targets,
      pairs: pairs.map(({ component, target }) => JSON.stringify([component.name, target.name])),
    }),
    ...(postedHash ? { postedHash } : {}),
    ...(onlyTarget === undefined ? {} : { onlyTarget }),
    jobId: textAt(wire, 'jobID'),
    removal,
    ...(removal ? { removalReason: input.removal ? 'OwnerDeleting' : 'Inactive' } : {}),
    dryRun,
    allowEmpty,
    components,
    targets,
    ...assignPairs(pairs, (target) => scopeOf(instanceSpec.scope, target.spec.solutionScope)),
    notes: [],
    mismatches: [],
    parameters: instanceSpec.parameters ?? {},
    metadata: { ...solutionSpec.metadata, ...instanceSpec.metadata },
    solution: { name: solutionName, state: { metadata: solution.metadata, spec: solutionSpec } },
    instance: { metadata: instance.metadata, spec: instanceSpec },
  };
}

type Fields = Record<string, unknown>;

interface RawState {
  metadata: PostedState['metadata'];
  spec: Fields;
}

/** `spec` must be there; `metadata` may be missing, as senders of bare deployments leave it out. */
function stateAt(wire: Fields, key: 'solution' | 'instance'): RawState {
  const state = fieldsAt(own(wire, key), key);
  const spec = fieldsAt(own(state, 'spec'), `${key}.spec`);
  const given = own(state, 'metadata') ?? {};
  const metadata = fieldsAt(given, `${key}.metadata`);
  return { metadata: { ...metadata, name: textAt(metadata, 'name', `${key}.metadata`) }, spec };
}

function instanceFields(spec: Fields, solutionName: string): Fields {
  return { ...spec, solution: own(spec, 'solution') || solutionName };
}

function targetsAt(
  wire: Fields,
  namespace: string,
  uids: ReadonlyMap<string, string> | undefined,
): DeploymentTarget[] {
  const targets = Object.entries(fieldsAt(own(wire, 'targets') ?? {}, 'targets')).map(([name, raw]) => {
    const path = joinPath('targets', name);
    const state = fieldsAt(raw, path);
    const spec = parseAs(TargetSpec, fieldsAt(own(state, 'spec'), `${path}.spec`), `${path}.spec`);
    return { name, uid: uids?.get(name) ?? `inline:${namespace}:${name}`, spec };
  });
  return targets.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** In component order, then by target. */
function pairsAt(
  wire: Fields,
  components: readonly ComponentSpec[],
  known: readonly DeploymentTarget[],
  wanted: readonly DeploymentTarget[],
): Pair[] {
  const raw = fieldsAt(own(wire, 'assignments') ?? {}, 'assignments');
  const assigned = new Map(Object.keys(raw).map((target) => [target, namesAt(raw, target)]));
  const problems: Problem[] = [];
  const targetNames = new Set(known.map((target) => target.name));
  const componentNames = new Set(components.map((component) => component.name));
  for (const [target, names] of assigned) {
    const path = joinPath('assignments', target);
    if (names.size > 0 && !targetNames.has(target))
      problems.push({ path, message: 'is not among the targets' });
    for (const name of names) {
      if (componentNames.has(name)) continue;
      problems.push({
        path,
        message: `names ${JSON.stringify(name)}, which is not among solution.spec.components`,
      });
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return components.flatMap((component) =>
    wanted
      .filter((target) => assigned.get(target.name)?.has(component.name))
      .map((target) => ({ component, target })),
  );
}

/** `{c1}{c2}` as c1, c2. */
function namesAt(assignments: Fields, target: string): Set<string> {
  const path = joinPath('assignments', target);
  const text = own(assignments, target);
  if (text === '' || text === null || text === undefined) return new Set();
  if (typeof text !== 'string' || !text.startsWith('{') || !text.endsWith('}')) {
    throw missing(path, 'must be component names in braces, for example "{web}{db}"');
  }
  return new Set(text.slice(1, -1).split('}{'));
}

function annotationOf(metadata: PostedState['metadata'], key: string): unknown {
  const annotations = metadata['annotations'];
  return typeof annotations === 'object' && annotations !== null
    ? own(annotations as Fields, key)
    : undefined;
}

function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function fieldsAt(value: unknown, path: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw missing(path, value === undefined || value === null ? 'is required' : 'must be an object');
}

function textAt(fields: Fields, key: string, path = ''): string {
  const value = own(fields, key);
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw missing(joinPath(path, key), 'must be a string');
}

function flagAt(fields: Fields, key: string): boolean {
  const value = own(fields, key);
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  throw missing(key, 'must be true or false');
}

function missing(path: string, message: string): InvalidInputError {
  return invalid([{ path, message }]);
}

function invalid(problems: readonly Problem[]): InvalidInputError {
  const [first] = problems;
  return new InvalidInputError(
    `The deployment is not valid: ${first?.path || 'the body'} ${first?.message ?? 'cannot be read'}.`,
    problems,
  );
}
