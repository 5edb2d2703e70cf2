import type { KubernetesObject } from './control-plane/index.js';
import type { TestCluster } from './control-plane/cluster.js';
import type { ScriptWorld } from './script-world.js';

const WAIT_S = 100;

/** A custom resource as tests look at it. */
export interface SymphonyObject extends KubernetesObject {
  status?: {
    status?: string;
    reason?: string;
    statusDetails?: string;
    observedGeneration?: number;
    deployed?: number;
    provisioningStatus?: { status?: string };
    orders?: { order: string; request: string }[];
    conditions?: { type: string; status: string; reason: string }[];
  };
}

const GROUPS = { targets: 'fabric.symphony', solutions: 'solution.symphony', instances: 'solution.symphony' };
type Plural = keyof typeof GROUPS;

/** What a person does with kubectl in one namespace. */
export class Person {
  constructor(
    private readonly cluster: TestCluster,
    readonly namespace: string,
  ) {}

  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl(args, { namespace: this.namespace, timeoutMs: (WAIT_S + 20) * 1_000 });
  }

  apply(...input: object[]): Promise<string> {
    return this.cluster.kubectl(['apply', '-f', '-'], { namespace: this.namespace, input });
  }

  create(...input: object[]): Promise<string> {
    return this.cluster.kubectl(['create', '-f', '-'], { namespace: this.namespace, input });
  }

  /** Resolves when the condition `Ready` of each is True. */
  ready(...names: string[]): Promise<string> {
    return this.kubectl('wait', '--for=condition=Ready', `--timeout=${WAIT_S}s`, ...names);
  }

  /** Deletes, and resolves when it is gone. */
  delete(...args: string[]): Promise<string> {
    return this.kubectl('delete', `--timeout=${WAIT_S}s`, ...args);
  }

  /** Waits until the object, or its absence, is as wished. */
  async until(
    plural: Plural,
    name: string,
    holds: (object: SymphonyObject | undefined) => boolean,
  ): Promise<void> {
    const path = `/apis/${GROUPS[plural]}/v1/namespaces/${this.namespace}/${plural}/${name}`;
    await this.cluster.api.until(path, (object) => holds(object), WAIT_S * 1_000);
  }

  async get(plural: Plural, name: string): Promise<SymphonyObject> {
    return JSON.parse(await this.kubectl('get', plural, name, '-o', 'json')) as SymphonyObject;
  }

  /** Owners that have something in a ledger. */
  async owners(): Promise<string[]> {
    const names = await this.kubectl('get', 'ledgers', '-o', 'jsonpath={.items[*].spec.owner.name}');
    return names.split(' ').filter((name) => name !== '');
  }
}

/** An object as it is applied. */
export function manifest(plural: Plural, name: string, spec: object, metadata: object = {}): object {
  const kind = { targets: 'Target', solutions: 'Solution', instances: 'Instance' }[plural];
  return { apiVersion: `${GROUPS[plural]}/v1`, kind, metadata: { name, ...metadata }, spec };
}

/** A component `c` whose properties are a version. */
export function solution(name: string, version = 1): object {
  return manifest('solutions', name, { components: [{ name: 'c', properties: { version } }] });
}

/** A target whose components live in that world. */
export function target(name: string, world: ScriptWorld): object {
  return manifest('targets', name, { topologies: world.topologies });
}

/** An instance on the target and with the solution of its name. */
export function instance(name: string, spec: object = {}, metadata: object = {}): object {
  return manifest('instances', name, { solution: name, target: { name }, ...spec }, metadata);
}
