import {
  instanceNameOf,
  type Assignment,
  type BindingSpec,
  type ComponentSpec,
  type Deployment,
  type DeploymentOwner,
  type LedgerEntry,
  type WireDeployment,
} from '@symphony/model';

export interface WireOptions {
  /** The target that this call is for; its scope becomes the scope of the instance. */
  activeTarget?: string;
  /** Components with their expressions resolved: they stand in for those of the same name, others are added. */
  components?: readonly ComponentSpec[];
}

/** Symphony's DeploymentSpec, as scripts and remote providers read it. Shares nothing that a reader may change. */
export function toWireDeployment(deployment: Deployment, options: WireOptions = {}): WireDeployment {
  const { activeTarget } = options;
  const { owner, solution, instance } = deployment;
  const { assignments, scopes } = shared(deployment);
  const scope = activeTarget === undefined ? undefined : scopes.get(activeTarget);
  return structuredClone({
    solutionName: solution.name,
    solution: {
      ...solution.state,
      spec: {
        ...solution.state.spec,
        components: withResolved(deployment.components, options.components ?? []),
      },
    },
    instance: {
      ...instance,
      spec: { ...instance.spec, metadata: deployment.metadata, ...(scope === undefined ? {} : { scope }) },
    },
    targets: Object.fromEntries(
      deployment.targets.map(({ name, spec }) => [
        name,
        { metadata: { name, namespace: owner.namespace }, spec: plain(spec) },
      ]),
    ),
    assignments,
    ...(activeTarget === undefined ? {} : { activeTarget }),
    generation: deployment.generation,
    jobID: deployment.jobId,
    objectNamespace: owner.namespace,
    hash: deployment.postedHash ?? deployment.hash,
    isDryRun: deployment.dryRun,
    isInActive: deployment.removalReason === 'Inactive',
  });
}

export interface RemovalOptions {
  activeTarget?: string;
  generation?: string;
  jobId?: string;
}

/** A DeploymentSpec made of what the ledger remembers, for removing what has no solution or target any more. */
export function wireForRemoval(
  owner: DeploymentOwner,
  entries: readonly LedgerEntry[],
  options: RemovalOptions = {},
): WireDeployment {
  const name = instanceNameOf(owner);
  const { namespace } = owner;
  const { activeTarget } = options;
  const components = new Map(entries.map((entry) => [entry.component, entry.applied]));
  const bindings = new Map<string, Map<string, BindingSpec>>();
  for (const entry of entries) {
    const known = bindings.get(entry.targetName) ?? new Map<string, BindingSpec>();
    bindings.set(entry.targetName, known.set(entry.bindingHash, entry.binding));
  }
  const scope = entries.find(
    (entry) => activeTarget === undefined || entry.targetName === activeTarget,
  )?.scope;
  return structuredClone({
    solutionName: name,
    solution: { metadata: { name, namespace }, spec: { components: [...components.values()].map(plain) } },
    instance: {
      metadata: { name, namespace },
      spec: { solution: name, ...(scope === undefined ? {} : { scope }) },
    },
    targets: Object.fromEntries(
      [...bindings].map(([target, known]) => [
        target,
        {
          metadata: { name: target, namespace },
          spec: { topologies: [{ bindings: [...known.values()].map(plain) }] },
        },
      ]),
    ),
    assignments: assignmentsText(
      [...bindings.keys()],
      entries.map((entry) => ({ target: entry.targetName, component: entry.component })),
    ),
    ...(activeTarget === undefined ? {} : { activeTarget }),
    generation: options.generation ?? entries[0]?.generation ?? '',
    jobID: options.jobId ?? '',
    objectNamespace: namespace,
    hash: '',
    isDryRun: false,
    isInActive: false,
  });
}

/** Symphony's `{c1}{c2}` per target; a target without components has the empty text. */
function assignmentsText(
  targets: readonly string[],
  assignments: readonly Pick<Assignment, 'target' | 'component'>[],
): Record<string, string> {
  const names = new Map<string, Set<string>>(targets.map((target) => [target, new Set<string>()]));
  for (const { target, component } of assignments) names.get(target)?.add(component);
  return Object.fromEntries(
    [...names].map(([target, components]) => [target, [...components].map((name) => `{${name}}`).join('')]),
  );
}

interface Shared {
  assignments: Record<string, string>;
  scopes: ReadonlyMap<string, string>;
}

/** The same for every call of a run, and costly to make for many components on many targets. */
const sharedParts = new WeakMap<Deployment, Shared>();

function shared(deployment: Deployment): Shared {
  const known = sharedParts.get(deployment);
  if (known) return known;
  const names = deployment.targets.map((target) => target.name);
  const parts: Shared = {
    assignments: assignmentsText(names, deployment.assignments),
    scopes: new Map(deployment.assignments.map(({ target, scope }) => [target, scope])),
  };
  sharedParts.set(deployment, parts);
  return parts;
}

function withResolved(
  declared: readonly ComponentSpec[],
  resolved: readonly ComponentSpec[],
): ComponentSpec[] {
  const byName = new Map(resolved.map((component) => [component.name, component]));
  const names = new Set(declared.map((component) => component.name));
  return [
    ...declared.map((component) => byName.get(component.name) ?? component),
    ...resolved.filter((component) => !names.has(component.name)),
  ].map(plain);
}

/** Without its class, which a copy would lose anyway. */
function plain<T extends object>(value: T): T {
  return { ...value };
}
