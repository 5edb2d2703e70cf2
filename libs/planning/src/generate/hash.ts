import {
  hashOf,
  type DeploymentTarget,
  type InstanceSpec,
  type SolutionSpec,
  type TargetSpec,
} from '@symphony/model';

/** Everything that the desired state of an owner depends on. */
export interface HashedParts {
  ownerUid: string;
  removal: boolean;
  dryRun: boolean;
  allowEmpty: boolean;
  instance?: InstanceSpec;
  solution?: { name: string; spec: SolutionSpec };
  targets: readonly DeploymentTarget[];
  /** For a posted deployment: which pairs it asks for. */
  pairs?: readonly string[];
}

/**
 * Equal hashes mean an equal desired state. Display names, reconciliation policies and `forceRedeploy` say nothing about
 * that state, nor does any status, label, or target that does not match: none of them moves the hash.
 */
export function deploymentHash(parts: HashedParts): string {
  const { instance, solution } = parts;
  return hashOf({
    ...parts,
    instance: instance && without(instance, ['displayName', 'reconciliationPolicy']),
    solution: solution && {
      name: solution.name,
      spec: without(solution.spec, ['displayName', 'rootResource']),
    },
    targets: parts.targets.map(({ name, uid, spec }) => ({ name, uid, spec: placeOf(spec) })),
  });
}

/** What a target contributes to a deployment on it; its own components are a deployment of their own. */
function placeOf(spec: TargetSpec): object {
  const { topologies, properties, metadata, scope, solutionScope } = spec;
  return { topologies, properties, metadata, scope, solutionScope };
}

function without<T extends object>(value: T, keys: readonly (keyof T)[]): Partial<T> {
  const dropped = new Set<PropertyKey>(keys);
  return Object.fromEntries(Object.entries(value).filter(([key]) => !dropped.has(key))) as Partial<T>;
}
