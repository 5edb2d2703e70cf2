import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, Person, solution } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { counted, measured, mockTarget } from '../costs/measured.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const FOREIGN = 'backup.example.com/keep';
const OURS = /symphony\/finalizer$/;
const LONG_MS = 8_000;

describeKubernetes('an object that another finalizer holds when everything is removed', (cluster) => {
  let me: Person;
  let engine: KubernetesProcess;

  beforeAll(async () => {
    await installCustomResources(cluster());
    me = new Person(cluster(), await cluster().createNamespace('held-by-others'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      args: ['--kubernetes-authentication=false'],
    });
  });
  afterAll(async () => {
    await engine.kill();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  const isLetGo = (plural: 'instances' | 'targets', name: string): Promise<void> =>
    me.until(plural, name, (object) => !(object?.metadata.finalizers ?? []).some((each) => OURS.test(each)));

  test('says so, costs nothing more, also under the next leader, and goes with that finalizer', async () => {
    const metadata = { finalizers: [FOREIGN] };
    await me.apply(mockTarget('site'), solution('app'));
    await me.apply(instance('held', { solution: 'app', target: { name: 'site' } }, metadata));
    await me.ready('instance/held', 'target/site');
    expect((await me.get('instances', 'held')).status).toMatchObject({ deployed: 1 });
    await me.kubectl('patch', 'target/site', '--type=json', `-p=${added(FOREIGN)}`);
    await me.kubectl('delete', 'instance/held', 'target/site', '--wait=false');
    await isLetGo('instances', 'held');
    await isLetGo('targets', 'site');
    const status = {
      status: 'Deleting',
      reason: 'Deleting',
      deployed: 0,
      statusDetails: `Everything is removed. The object is kept by the finalizers of others: ${FOREIGN}.`,
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'Ready', status: 'False' }),
      ]) as unknown[],
    };
    for (const [plural, name] of HELD) expect((await me.get(plural, name)).status).toMatchObject(status);
    expect((await me.get('instances', 'held')).status).not.toHaveProperty('deploymentHash');

    const audit = await cluster().auditLog();
    const cost = await measured(audit, me.namespace, () => delay(LONG_MS));
    expect(cost.writes.get('patch instances/status') ?? 0).toBe(0);
    expect(objectReads(cost.requests)).toEqual([]);

    await engine.kill();
    await engine.begin();
    const runs = (): Promise<number> => counted(engine.url, 'symphony_runs_total');
    await expect.poll(runs, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
    const next = await measured(audit, me.namespace, () => delay(LONG_MS));
    expect(objectReads(next.requests)).toEqual([]);
    expect(await runs()).toBe(2);
    for (const [plural, name] of HELD) expect((await me.get(plural, name)).status).toMatchObject(status);

    await me.kubectl(
      'patch',
      'instance/held',
      'target/site',
      '--type=merge',
      '-p={"metadata":{"finalizers":[]}}',
    );
    for (const [plural, name] of HELD) await me.until(plural, name, (object) => object === undefined);
    // Whatever is made anew under the name is deployed.
    await me.apply(mockTarget('site'), instance('held', { solution: 'app', target: { name: 'site' } }));
    await me.ready('instance/held');
  });
});

const HELD = [
  ['instances', 'held'],
  ['targets', 'site'],
] as const;

function added(finalizer: string): string {
  return JSON.stringify([{ op: 'add', path: '/metadata/finalizers/-', value: finalizer }]);
}

function objectReads(requests: ReadonlyMap<string, number>): string[] {
  return [...requests.keys()].filter((what) => /^get (instances|targets|solutions)/.test(what));
}
