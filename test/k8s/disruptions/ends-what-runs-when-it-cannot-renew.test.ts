import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import type { PolicyRule } from '../../support/control-plane/cluster.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 360_000, hookTimeout: 180_000 });

/** A leader steps down after two thirds of it; the rest is time enough for a busy machine to end a script. */
const LEASE_SECONDS = 18;
/** If nobody ended it, it would still run when others may lead. */
const SCRIPT_SECONDS = 30;
const LOOK = { timeout: SCRIPT_SECONDS * 1_000 + 10_000, interval: 20 };

/** Begun twice, since the first one was ended, and done once. */
const ONCE = ['begin apply', 'begin apply', 'end apply'];
const LEADS = /"msg":"This replica leads"/;

const READ = ['get', 'list', 'watch'];
const ALL = [...READ, 'create', 'update', 'patch', 'delete'];
const leases = (verbs: string[]): PolicyRule => ({
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  verbs,
});
/** Wider than the chart's where that makes no difference here. */
const OTHER_RIGHTS: PolicyRule[] = [
  { apiGroups: ['fabric.symphony', 'solution.symphony', 'engine.symphony'], resources: ['*'], verbs: ALL },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

interface Leases {
  items: { spec: { holderIdentity: string; renewTime: string; leaseTransitions: number } }[];
}

// What runs is a real script, which nobody ends but the engine.
describeKubernetes('a leader that cannot renew its Lease while a provider is called', (cluster) => {
  let scene: Scene;
  let closeAccount: () => void;
  let mayRenew: (may: boolean) => Promise<unknown>;

  beforeAll(async () => {
    await installCustomResources(cluster());
    const namespace = await cluster().createNamespace('unrenewed');
    const account = await cluster().serviceAccount(namespace, 'engine', [...OTHER_RIGHTS, leases(ALL)]);
    const kubectl = cluster().kubectlAs(account);
    closeAccount = () => kubectl.close();
    const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/engine`;
    mayRenew = (may) =>
      cluster().api.call('PATCH', role, { rules: [...OTHER_RIGHTS, leases(may ? ALL : READ)] });
    const options = { kubeconfig: kubectl.kubeconfigFile, leaseSeconds: LEASE_SECONDS };
    scene = await Scene.begin(cluster(), namespace, options);
  });
  afterAll(async () => {
    await scene.end();
    closeAccount();
    await scene.letAllGo();
  });

  async function lease(): Promise<{ renewedAt: number; epoch: number }> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${scene.me.namespace}/leases`;
    const { items } = await cluster().api.call<Leases>('GET', path);
    expect(items).toHaveLength(1);
    const { renewTime = '', leaseTransitions = NaN } = items[0]?.spec ?? {};
    return { renewedAt: Date.parse(renewTime), epoch: leaseTransitions };
  }
  const noted = async (name: string): Promise<string[]> =>
    (await scene.world.notes())
      .filter(({ operation, instance: whose }) => operation === 'apply' && whose === name)
      .map(({ what, operation }) => `${what} ${operation}`);

  /** @returns the process id of its apply script, which takes its time */
  async function begun(name: string): Promise<number> {
    const { me, world } = scene;
    await world.setPace(SCRIPT_SECONDS);
    await me.apply(target(name, world), solution(name), instance(name));
    await expect.poll(() => noted(name), POLL).toEqual(['begin apply']);
    const script = await world.scriptOf(name);
    expect(isAlive(script)).toBe(true);
    return script;
  }

  /**
   * Takes the right to renew away until the test has ended. Resolves when the script has, cut short: it has done nothing.
   * @returns when it had
   */
  async function endsUnrenewed(name: string, script: number): Promise<number> {
    onTestFinished(() => mayRenew(true).then(() => undefined));
    await mayRenew(false);
    await expect.poll(() => isAlive(script), LOOK).toBe(false);
    const endedAt = Date.now();
    expect(await noted(name)).toEqual(['begin apply']);
    expect(await scene.isThere(name)).toBe(false);
    await scene.world.setPace(0);
    return endedAt;
  }

  test('ends the call before another may lead, lives on, and deploys once when it leads again', async () => {
    const { pid } = scene.engine;
    const script = await begun('alone');
    const endedAt = await endsUnrenewed('alone', script);
    const last = await lease();
    // Whoever waits for the Lease waits at least so long from its last renewal on.
    expect(endedAt - last.renewedAt).toBeLessThan(LEASE_SECONDS * 1_000);

    // Until it has run out, the Lease still names this process.
    await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/No replica leads/);
    expect((await scene.readiness()).status).toBe(200);
    expect(scene.engine.output).toMatch(/"msg":"This process does not lead any more"/);
    expect(await noted('alone')).toEqual(['begin apply']);
    await scene.isUnharmed(pid);

    await mayRenew(true);
    await scene.me.ready('instance/alone');
    expect((await scene.readiness()).text).toMatch(/This replica leads/);
    expect((await lease()).epoch).toBeGreaterThan(last.epoch);
    expect(await noted('alone')).toEqual(ONCE);
    expect(await scene.isThere('alone')).toBe(true);
    expect(await scene.world.overlaps()).toEqual([]);
    await scene.isUnharmed(pid);
  });

  test('ends the call before the one begins that has waited for the Lease', async () => {
    const { pid } = scene.engine;
    const other = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [scene.me.namespace],
      leaseSeconds: LEASE_SECONDS,
      follows: true,
      args: [scene.world.flag],
    });
    onTestFinished(() => other.kill());
    const script = await begun('followed');
    await endsUnrenewed('followed', script);
    expect(other.output).not.toMatch(LEADS);
    await scene.me.ready('instance/followed');
    expect(other.output).toMatch(LEADS);
    expect((await scene.readiness()).text).not.toMatch(/This replica leads|No replica leads/);
    expect(await noted('followed')).toEqual(ONCE);
    expect(await scene.world.overlaps()).toEqual([]);
    await scene.isUnharmed(pid);
  });
});

/** Its parent, the engine, buries it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
