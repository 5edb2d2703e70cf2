import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { request } from 'undici';
import type { TestCluster } from '../../support/control-plane/cluster.js';
import { instance, manifest, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { parsePrometheus, valueOf } from '../../support/prometheus.js';
import { ScriptWorld } from '../../support/script-world.js';

export const POLL = { timeout: 100_000, interval: 100 };

export interface SceneOptions {
  /** Of the user that the engine is; default: all rights. */
  kubeconfig?: string;
  leaseSeconds?: number;
  args?: readonly string[];
  /** The program of a build; default: from source. */
  main?: string;
}

/** An engine as a process of its own, a person with kubectl in the namespace that it serves, and the world that it changes. */
export class Scene {
  private constructor(
    readonly cluster: TestCluster,
    readonly me: Person,
    readonly world: ScriptWorld,
    readonly engine: KubernetesProcess,
  ) {}

  static async begin(cluster: TestCluster, namespace: string, options: SceneOptions = {}): Promise<Scene> {
    const { kubeconfig = cluster.kubeconfigFile, leaseSeconds, args = [], main } = options;
    const world = await ScriptWorld.make();
    const engine = await KubernetesProcess.start({
      kubeconfig,
      namespaces: [namespace],
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
      ...(main === undefined ? {} : { main }),
      args: [world.flag, '--reconcile-min-interval=1s', '--metrics-public=true', ...args],
    });
    return new Scene(cluster, new Person(cluster, namespace), world, engine);
  }

  async end(): Promise<void> {
    await this.engine.kill();
    await this.world.dispose();
  }

  /** For the end: nobody is there any more to take away what was deployed. */
  async letAllGo(): Promise<void> {
    const { namespace } = this.me;
    for (const kind of ['instances', 'targets', 'ledgers']) {
      const names = (await this.me.kubectl('get', kind, '-o', 'name'))
        .split('\n')
        .filter((name) => name !== '');
      const patch = '--patch={"metadata":{"finalizers":null}}';
      if (names.length > 0) await this.me.kubectl('patch', '--type=merge', patch, ...names);
    }
    await this.cluster.api.call('DELETE', `/api/v1/namespaces/${namespace}`);
  }

  /** Target, solution and instance of a name. */
  partsOf(name: string, solutionSpec: object, instanceSpec: object = {}): object[] {
    return [
      target(name, this.world),
      manifest('solutions', name, solutionSpec),
      instance(name, instanceSpec),
    ];
  }

  /** Applied, and deployed. */
  async deployed(name: string, spec: object = {}, metadata: object = {}): Promise<void> {
    await this.me.apply(target(name, this.world), solution(name), instance(name, spec, metadata));
    await this.me.ready(`instance/${name}`);
    expect(await this.isThere(name)).toBe(true);
  }

  async isThere(name: string): Promise<boolean> {
    return (await this.world.deployed()).includes(name);
  }

  /** How many provider calls for an instance have ended. */
  async calls(name: string, operation: 'get' | 'apply' | 'remove'): Promise<number> {
    const notes = await this.world.notes();
    return notes.filter(
      (note) => note.instance === name && note.operation === operation && note.what === 'end',
    ).length;
  }

  /** As somebody else who takes the workload away. */
  drift(name: string): void {
    rmSync(join(this.world.folder, 'there', name));
  }

  /** The status and the text of `/readyz`; status 0 when nobody answers. */
  async readiness(): Promise<{ status: number; text: string }> {
    return this.#fetched('/readyz');
  }

  async metric(name: string, labels?: Record<string, string>): Promise<number | undefined> {
    const { text } = await this.#fetched('/metrics');
    return valueOf(parsePrometheus(text), name, labels);
  }

  /** Nothing escaped anybody's hands, and it is the process that was started. */
  async isUnharmed(pid: number | undefined): Promise<void> {
    expect(this.engine.pid).toBe(pid);
    const { status, text } = await this.#fetched('/healthz');
    expect([status, (JSON.parse(text) as { faults?: object }).faults]).toEqual([
      200,
      { unhandledRejection: 0, uncaughtException: 0 },
    ]);
  }

  async #fetched(path: string): Promise<{ status: number; text: string }> {
    try {
      const answer = await request(`${this.engine.url}${path}`, { signal: AbortSignal.timeout(10_000) });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      return { status: 0, text: String(error) };
    }
  }
}
