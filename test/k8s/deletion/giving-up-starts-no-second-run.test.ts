import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { EngineClient } from '../../support/engine-client.js';
import { instance, manifest, Person, solution } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const POLL = { timeout: 60_000, interval: 100 };

/** What targets call, each under a path of its own; unlike a script, a request that was sent cannot be taken back. */
class Receiver {
  readonly #server: Server = createServer(({ url = '' }, response) => this.#take(url.slice(1), response));
  readonly #open = new Map<string, ServerResponse[]>();
  readonly #held = new Set<string>();
  readonly calls: string[] = [];
  /** Paths that were called while an earlier call was open. */
  readonly overlaps: string[] = [];

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Of a target whose components are sent there. */
  topologies(path: string): object[] {
    const base = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const config = { url: `${base}/${path}`, 'http.delete.url': `${base}/${path}/removed` };
    return [{ bindings: [{ role: 'instance', provider: 'providers.target.http', config }] }];
  }

  /** Answers nothing at that path until it is let go. */
  hold(path: string): void {
    this.#held.add(path);
  }

  letGo(path: string): void {
    this.#held.delete(path);
    for (const response of this.#open.get(path) ?? []) response.end();
  }

  count(path: string): number {
    return this.calls.filter((call) => call === path).length;
  }

  isOpen(path: string): boolean {
    return (this.#open.get(path) ?? []).length > 0;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(path: string, response: ServerResponse): void {
    const open = this.#open.get(path) ?? [];
    if (open.length > 0) this.overlaps.push(path);
    this.#open.set(path, [...open, response]);
    this.calls.push(path);
    response.on('close', () => {
      const left = (this.#open.get(path) ?? []).filter((other) => other !== response);
      this.#open.set(path, left);
    });
    if (!this.#held.has(path)) response.end();
  }
}

describeKubernetes('what is given up while a run is under way', (cluster) => {
  const receiver = new Receiver();
  let me: Person;
  let engine: KubernetesProcess;
  let client: EngineClient;

  beforeAll(async () => {
    await receiver.start();
    await installCustomResources(cluster());
    me = new Person(cluster(), await cluster().createNamespace('giving-up'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      args: ['--kubernetes-authentication=false'],
    });
    client = new EngineClient(engine.url);
    await client.login();
  });
  afterAll(async () => {
    receiver.stop();
    await engine.kill();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  const place = (name: string, of: string): object =>
    manifest('targets', name, { topologies: receiver.topologies(name), properties: { of } });

  /** An instance on one target that stays and on one that goes. */
  async function onBoth(name: string): Promise<void> {
    const both = instance(name, { target: { selector: { of: name } } });
    await me.apply(place(`${name}-stays`, name), place(`${name}-goes`, name), solution(name), both);
    await me.ready(`instance/${name}`);
    expect([receiver.count(`${name}-stays`), receiver.count(`${name}-goes`)]).toEqual([1, 1]);
  }

  async function orphan(what: string): Promise<void> {
    await me.kubectl('annotate', what, 'symphony/deletion-policy=orphan');
    await me.delete(what);
  }

  const stateOf = async (name: string): Promise<string> =>
    (await client.ok<{ state: string }>('GET', `/jobs/Instance/${me.namespace}/${name}`)).state;

  /** Has a run of another instance, so that whatever was due before has begun. */
  async function others(name: string): Promise<void> {
    await me.apply(place(name, name), solution(name), instance(name));
    await me.ready(`instance/${name}`);
  }

  test('an orphaned target lets no second run begin beside the one of an instance on it', async () => {
    await onBoth('both');
    receiver.hold('both-stays');
    await me.apply(solution('both', 2));
    await expect.poll(() => receiver.isOpen('both-stays'), POLL).toBe(true);
    await orphan('target/both-goes');
    await others('beside-both');
    expect(receiver.overlaps).toEqual([]);
    expect(await stateOf('both')).toBe('running');
    receiver.letGo('both-stays');
    await expect.poll(() => stateOf('both'), POLL).toBe('idle');
    const places = await me.kubectl('get', 'ledgers', '-o', 'jsonpath={.items[*].spec.targetName}');
    expect(places.split(' ').toSorted()).toEqual(['beside-both', 'both-stays']);

    // From then on the instance is on the other one only, and what was left is left.
    const before = receiver.count('both-goes');
    await me.delete('instance/both');
    expect(receiver.calls).toContain('both-stays/removed');
    expect(receiver.calls).not.toContain('both-goes/removed');
    expect(receiver.count('both-goes')).toBe(before);
    expect(receiver.overlaps).toEqual([]);
  });

  test('an orphaned target whose removal hangs lets no second run begin either', async () => {
    await onBoth('dead');
    receiver.hold('dead-goes/removed');
    await me.kubectl('delete', 'instance/dead', '--wait=false');
    await expect.poll(() => receiver.isOpen('dead-goes/removed'), POLL).toBe(true);
    await orphan('target/dead-goes');
    await others('beside-dead');
    expect(await stateOf('dead')).toBe('running');
    receiver.letGo('dead-goes/removed');
    await me.until('instances', 'dead', (object) => object === undefined);
    expect(receiver.count('dead-stays/removed')).toBe(1);
    expect(receiver.overlaps).toEqual([]);
  });

  test('an orphaned target leaves a suspended instance suspended', async () => {
    await onBoth('held');
    await me.kubectl('annotate', 'instance/held', 'symphony/suspend=true');
    await expect.poll(() => stateOf('held'), POLL).toBe('suspended');
    await orphan('target/held-goes');
    expect(await stateOf('held')).toBe('suspended');
    await me.apply(solution('held', 2));
    await others('beside-held');
    expect(await stateOf('held')).toBe('suspended');
    expect(receiver.count('held-stays')).toBe(1);
    await me.kubectl('annotate', 'instance/held', 'symphony/suspend-');
    await expect.poll(() => receiver.count('held-stays'), POLL).toBeGreaterThan(1);
  });

  test('what is made anew under the name of an orphaned instance waits for the end of its run', async () => {
    await others('again');
    receiver.hold('again');
    await me.apply(solution('again', 2));
    await expect.poll(() => receiver.isOpen('again'), POLL).toBe(true);
    await orphan('instance/again');
    await me.apply(instance('again'));
    await others('beside-again');
    expect(receiver.overlaps).toEqual([]);
    receiver.letGo('again');
    await me.ready('instance/again');
    expect(receiver.overlaps).toEqual([]);
    await me.delete('instance/again');
    expect(receiver.count('again/removed')).toBe(1);
  });
});
