import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { TestCluster } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { KubernetesProcess, type KubernetesProcessOptions } from '../../support/kubernetes-process.js';
import { FaultyProxy, type ProxiedRequest } from '../client/faulty-proxy.js';
import { Calls, writeOf } from './calls.js';
import { Lives, type LifeState } from './lives.js';
import { ScriptedTargets } from './scripted-targets.js';

const LEASE = 'symphony-engine';
const SETTLE_MS = 90_000;
const LOOK_MS = 100;

export type OperatorOptions = Pick<KubernetesProcessOptions, 'follows' | 'leaseSeconds' | 'args'>;

/** An operator, a process of its own, with a proxy between it and the API server. */
export class Operator {
  private constructor(
    readonly engine: KubernetesProcess,
    readonly proxy: FaultyProxy,
  ) {}

  /** Resolves when the process serves, and leads unless it is to follow. */
  static async start(lab: Lab, options: OperatorOptions = {}): Promise<Operator> {
    const { proxy, process: shared } = await lab.behindProxy();
    const args = [...shared.args, ...(options.args ?? [])];
    const engine = await KubernetesProcess.start({ ...shared, ...options, args });
    return new Operator(engine, proxy);
  }

  /** The writes that the API server took from it after a moment of `performance.now()`, those of its Lease left out. */
  takenAfter(moment: number): string[] {
    return this.proxy.requests
      .filter(({ answered }) => answered !== undefined && answered.at > moment && answered.status < 300)
      .filter(isWrite)
      .map(({ method, url }) => `${method} ${url}`);
  }

  get pid(): number {
    const { pid } = this.engine;
    if (pid === undefined) throw new Error('the operator was never started');
    return pid;
  }
}

function isWrite({ method, url }: ProxiedRequest): boolean {
  return method !== 'GET' && !/\/(leases|tokenreviews|subjectaccessreviews|runhistories|events)\b/.test(url);
}

/** A namespace with scripted targets, and what starts operators on it. */
export class Lab {
  readonly lives: Lives;
  readonly #proxies: FaultyProxy[] = [];

  private constructor(
    readonly cluster: TestCluster,
    readonly namespaces: readonly string[],
    readonly targets: ScriptedTargets,
    readonly calls: Calls,
  ) {
    this.lives = this.livesIn(this.home);
  }

  static async open(cluster: TestCluster, namespaces = 1): Promise<Lab> {
    await installCustomResources(cluster);
    const calls = new Calls();
    const names = await Promise.all(
      Array.from({ length: namespaces }, () => cluster.createNamespace('sieve')),
    );
    return new Lab(cluster, names, await ScriptedTargets.start(calls), calls);
  }

  get home(): string {
    return this.namespaces[0] ?? '';
  }

  livesIn(namespace: string): Lives {
    return new Lives(this.cluster, namespace, this.targets);
  }

  async close(): Promise<void> {
    for (const proxy of this.#proxies) await proxy.stop();
    await this.targets.stop();
    for (const name of this.namespaces) await this.cluster.api.call('DELETE', `/api/v1/namespaces/${name}`);
  }

  /** A proxy that notes each write, and the options of a process behind it. */
  async behindProxy() {
    const proxy = await FaultyProxy.start(this.cluster.admin);
    this.#proxies.push(proxy);
    proxy.fault = (request) => {
      const call = writeOf(request);
      if (!call) return undefined;
      const { made, before, after } = this.calls.note(call);
      return {
        before,
        after: () => {
          made.refused = (request.answered?.status ?? 0) >= 400;
          return after();
        },
      };
    };
    const file = join(this.targets.folder, `kubeconfig-${this.#proxies.length}`);
    await writeFile(file, kubeconfigFor(proxy.url));
    const process = {
      kubeconfig: file,
      namespaces: this.namespaces,
      leaseSeconds: 15,
      // What is well is not looked at again by itself: whatever happens is because of what the test does.
      args: [this.targets.flag, '--reconcile-interval=8000h'],
    };
    return { proxy, process };
  }

  /** As if the lease of a holder that is dead for sure had passed; nothing when there is none. */
  async freeLease(): Promise<void> {
    const leases = await this.cluster.api.call<{ items: object[] }>('GET', this.#leases);
    if (leases.items.length === 0) return;
    await this.cluster.api.call('PATCH', `${this.#leases}/${LEASE}`, { spec: { holderIdentity: '' } });
  }

  /** As if no operator had ever been started. */
  async forgetStart(): Promise<void> {
    await this.cluster.api.call('DELETE', this.#leases);
    await this.cluster.api.call('DELETE', `/api/v1/namespaces/${this.home}/secrets`);
  }

  get #leases(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.home}/leases`;
  }

  /**
   * Waits until each of these lives stands as expected.
   * @throws AssertionError with the difference of the first one that does not in time
   */
  async reached(
    lives: ReadonlyMap<string, string>,
    expected: LifeState,
    { lives: place = this.lives, timeoutMs = SETTLE_MS } = {},
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const wanted = JSON.stringify(sorted(expected));
    for (;;) {
      const states = await place.states([...lives.keys()]);
      const other = [...lives].find(([life]) => JSON.stringify(sorted(states.get(life))) !== wanted);
      if (!other) return;
      const [life, about] = other;
      if (performance.now() > deadline) expect(states.get(life), about).toEqual(expected);
      await delay(LOOK_MS);
    }
  }

  /**
   * Waits until a life stands still, with these components on its targets and all of it told: nothing is asked for also while an
   * operator is only slow. @returns how it stands
   */
  async settled(
    life: string,
    there: LifeState['there'],
    proxy: FaultyProxy,
    lives = this.lives,
  ): Promise<LifeState> {
    const deadline = performance.now() + SETTLE_MS;
    const wanted = JSON.stringify(sorted(there));
    for (;;) {
      const before = activityOf(proxy) + this.targets.calls.length;
      await delay(1_000);
      const state = (await lives.states([life])).get(life);
      const still = activityOf(proxy) + this.targets.calls.length === before;
      if (state && still && isTold(state) && JSON.stringify(sorted(state.there)) === wanted) return state;
      if (performance.now() > deadline) expect(state).toMatchObject({ there });
    }
  }
}

/** Over plain HTTP, which only a client that is told so speaks. */
function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}

/** Every run has said how it ended, and every ledger what it led to. */
function isTold({ objects, ledgers }: LifeState): boolean {
  const ended = Object.entries(objects)
    .filter(([name]) => !name.startsWith('solutions/'))
    .map(([, essence]) => essence as { status?: string; current: boolean });
  return (
    ended.every(({ status = '', current }) => current && ['Succeeded', 'Failed'].includes(status)) &&
    Object.values(ledgers)
      .flat()
      .every((entry) => entry.split(' ')[1] === 'applied')
  );
}

function activityOf({ requests }: FaultyProxy): number {
  return requests.filter(({ watch, url }) => !watch && !url.includes('/leases/')).length;
}

/** With the keys of every record in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
