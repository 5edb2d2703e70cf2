import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { chartAccount, type ChartAccount } from '../../support/chart-account.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, manifest, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** As Symphony's own operator leaves an instance of 0.48, and of 0.49. */
const BY_OPERATOR = {
  annotations: { SummaryJobIdKey: '3', 'instance.solution.symphony/started-at': '2026-01-01T00:00:00Z' },
  finalizers: ['instance.solution.symphony/finalizer'],
};
const BY_NEWER_OPERATOR = {
  annotations: { SummaryJobIdKey: '3' },
  finalizers: ['instance.solutionversion.symphony/finalizer', 'example.com/foreign'],
};

describeKubernetes('what another engine has deployed', (cluster) => {
  let world: ScriptWorld;
  let me: Person;
  let adopted: Person;
  let engine: KubernetesProcess;
  let account: ChartAccount;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    me = new Person(cluster(), await cluster().createNamespace('adopt'));
    adopted = new Person(cluster(), await cluster().createNamespace('adopted'));
    await adopted.kubectl('annotate', 'namespace', adopted.namespace, 'symphony/adopt=true');
    account = await chartAccount(cluster(), me.namespace);
    engine = await KubernetesProcess.start({
      kubeconfig: account.kubeconfigFile,
      namespaces: [me.namespace, adopted.namespace],
      args: [world.flag],
    });
  });
  afterAll(async () => {
    await engine.kill();
    const refused = await account.refused();
    await account.close();
    for (const { namespace } of [me, adopted]) {
      await cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}`);
    }
    await world.dispose();
    // The chart's rights are enough.
    expect(refused).toEqual([]);
  });

  const changesOf = async (name: string): Promise<string[]> =>
    (await world.notes())
      .filter((note) => note.instance === name && note.what === 'begin' && note.operation !== 'get')
      .map(({ operation }) => operation);

  /** Deployed by somebody else, who is gone. */
  async function left(name: string, metadata: object, person = me): Promise<void> {
    await writeFile(join(world.folder, 'there', name), '');
    await person.apply(target(name, world), solution(name), instance(name, {}, metadata));
  }
  const untilUnadopted = (name: string): Promise<void> =>
    me.until('instances', name, (object) => object?.status?.reason === 'NotAdopted');
  const isThere = async (name: string): Promise<boolean> => (await world.deployed()).includes(name);

  test('is left alone and says so, with what adopting would do; adopted it is ours', async () => {
    await left('taken', BY_OPERATOR);
    await untilUnadopted('taken');
    const { status } = await me.get('instances', 'taken');
    expect(status?.status).toBe('Failed');
    expect(status?.statusDetails).toMatch(/finalizer instance\.solution\.symphony\/finalizer/);
    expect(status?.statusDetails).toMatch(/annotation SummaryJobIdKey/);
    expect(status?.statusDetails).toMatch(/Adopting would take over c on taken\./);
    // Nor when somebody orders a run, or changes what it wants.
    await me.kubectl('annotate', 'instance/taken', 'symphony/reconcile=now');
    await me.until('instances', 'taken', (object) =>
      (object?.status?.orders ?? []).some(({ request }) => request === 'now'),
    );
    await me.apply(solution('taken', 2));
    expect(await changesOf('taken')).toEqual([]);
    await me.kubectl('annotate', 'instance/taken', 'symphony/adopt=true');
    await me.ready('instance/taken');
    expect(await changesOf('taken')).toEqual(['apply']);
    expect(await me.owners()).toContain('taken');
    await me.delete('instance/taken');
    expect(await isThere('taken')).toBe(false);
  });

  test('is not removed when its object is deleted, which stays until it is let go', async () => {
    await left('deleted', BY_OPERATOR);
    await untilUnadopted('deleted');
    await me.kubectl('delete', 'instance/deleted', '--wait=false');
    const saysSo = (text = ''): boolean => /being deleted, which removes nothing/.test(text);
    await me.until('instances', 'deleted', (object) => saysSo(object?.status?.statusDetails));
    // What nobody knows cannot be removed: adopting comes too late.
    await me.kubectl('annotate', 'instance/deleted', 'symphony/adopt=true', 'symphony/reconcile=now');
    await me.until('instances', 'deleted', (object) =>
      (object?.status?.orders ?? []).some(({ request }) => request === 'now'),
    );
    expect((await me.get('instances', 'deleted')).status?.reason).toBe('NotAdopted');
    await me.kubectl('annotate', 'instance/deleted', 'symphony/deletion-policy=orphan');
    await me.until('instances', 'deleted', (object) => object === undefined);
    expect(await isThere('deleted')).toBe(true);
    expect(await changesOf('deleted')).toEqual([]);
  });

  test('is taken over at once where its namespace is adopted; its finalizer of another version goes with it', async () => {
    await left('newer', BY_NEWER_OPERATOR, adopted);
    await adopted.ready('instance/newer');
    expect(await changesOf('newer')).toEqual(['apply']);
    await adopted.kubectl('delete', 'instance/newer', '--wait=false');
    await adopted.until('instances', 'newer', (object) => object?.metadata.finalizers?.length === 1);
    expect((await adopted.get('instances', 'newer')).metadata.finalizers).toEqual(['example.com/foreign']);
    expect(await isThere('newer')).toBe(false);
    await adopted.kubectl(
      'patch',
      'instance/newer',
      '--type=merge',
      '--patch={"metadata":{"finalizers":null}}',
    );
  });

  test('is a target only when something is declared for it: others serve as they are', async () => {
    const finalizers = ['target.fabric.symphony/finalizer'];
    const components = [{ name: 'agent', type: 'instance' }];
    await me.apply(
      manifest('targets', 'plain', { topologies: world.topologies }, { finalizers }),
      manifest('targets', 'full', { topologies: world.topologies, components }, { finalizers }),
    );
    await me.ready('target/plain');
    await me.until('targets', 'full', (object) => object?.status?.reason === 'NotAdopted');
  });
});
