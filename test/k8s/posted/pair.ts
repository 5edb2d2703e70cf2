import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCluster } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { EngineClient } from '../../support/engine-client.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

/** What is read of a record. */
export interface PostedRecord {
  metadata: { name: string };
  spec: {
    seq: number;
    doneSeq: number;
    jobId: string;
    deployment?: string;
    owner: { name: string };
    last?: { result: string; reason: string };
  };
}

/** A leader and a follower as processes of their own, and the world that they change. */
export class Pair {
  private constructor(
    readonly cluster: TestCluster,
    readonly namespace: string,
    readonly world: ScriptWorld,
    readonly leader: KubernetesProcess,
    readonly follower: KubernetesProcess,
  ) {}

  static async start(cluster: TestCluster, label: string): Promise<Pair> {
    await installCustomResources(cluster);
    const world = await ScriptWorld.make();
    const namespace = await cluster.createNamespace(label);
    const options = {
      kubeconfig: cluster.kubeconfigFile,
      namespaces: [namespace],
      args: [world.flag, '--kubernetes-authentication=false'],
    };
    const leader = await KubernetesProcess.start(options);
    const follower = await KubernetesProcess.start({ ...options, follows: true });
    return new Pair(cluster, namespace, world, leader, follower);
  }

  async end(): Promise<void> {
    await Promise.all([this.leader.kill(), this.follower.kill()]);
    await this.world.dispose();
    await this.cluster.api.call('DELETE', `/api/v1/namespaces/${this.namespace}`);
  }

  /** The leader does nothing any more, and does not know it: what is acknowledged from now on is not run by it. */
  freezeLeader(): void {
    if (this.leader.pid !== undefined) process.kill(this.leader.pid, 'SIGSTOP');
  }

  /** Whoever comes next finds a dead leader, whose lease has passed. */
  async killLeader(): Promise<void> {
    await this.leader.kill();
    await this.leader.freeLease();
  }

  /** Somebody who speaks to one of them. */
  async at(engine: KubernetesProcess): Promise<EngineClient> {
    const client = new EngineClient(engine.url);
    await client.login();
    return client;
  }

  /** A route of posted deployments, in the namespace of the test. */
  path(route: string, query = ''): string {
    return `/solution/${route}?namespace=${this.namespace}${query}`;
  }

  /** A deployment of one component, `c`, as Symphony posts it. */
  deployment(name: string, jobID = '1'): object {
    return {
      solutionName: name,
      solution: { metadata: { name }, spec: { components: [{ name: 'c', properties: { jobID } }] } },
      instance: { metadata: { name }, spec: {} },
      targets: { t: { metadata: { name: 't' }, spec: { topologies: this.world.topologies } } },
      assignments: { t: '{c}' },
      generation: jobID,
      jobID,
    };
  }

  async records(): Promise<PostedRecord[]> {
    return (await this.#list('posteddeployments')) as PostedRecord[];
  }

  async record(name: string): Promise<PostedRecord | undefined> {
    return (await this.records()).find(({ spec }) => spec.owner.name === name);
  }

  /** Somebody else has written the record, with that epoch. */
  async setEpoch(name: string, epoch: number): Promise<void> {
    const record = await this.record(name);
    const path = `${this.#pathOf('posteddeployments')}/${record?.metadata.name}`;
    await this.cluster.api.call('PATCH', path, { spec: { epoch } });
  }

  reports(): Promise<object[]> {
    return this.#list('componentreports');
  }

  /** Names of those who have something in a ledger. */
  async owners(): Promise<string[]> {
    const ledgers = (await this.#list('ledgers')) as { spec: { owner: { name: string } } }[];
    return ledgers.map(({ spec }) => spec.owner.name);
  }

  /** Applies are accepted from now on, and done by nobody: a report is awaited. */
  async acceptOnly(ticket: string): Promise<void> {
    const file = join(this.world.folder, 'scripts', 'apply.sh');
    const pending = JSON.stringify({ c: { pending: { ticket, deadlineSeconds: 600 } } });
    await writeFile(file, `#!/bin/sh\necho '${pending}' >"\${1%.json}-output.json"\n`);
    await chmod(file, 0o755);
  }

  /** What had been accepted is done. */
  finish(instance: string): Promise<void> {
    return writeFile(join(this.world.folder, 'there', instance), '');
  }

  async #list(plural: string): Promise<object[]> {
    return (await this.cluster.api.call<{ items: object[] }>('GET', this.#pathOf(plural))).items;
  }

  #pathOf(plural: string): string {
    return `/apis/engine.symphony/v1/namespaces/${this.namespace}/${plural}`;
  }
}
