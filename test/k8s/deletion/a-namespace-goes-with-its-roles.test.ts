import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { chartAccount, type ChartAccount } from '../../support/chart-account.js';
import { describeKubernetes, type KubernetesObject } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const GONE_MS = 90_000;

// With the Roles that the chart makes for a list of namespaces. They are deleted with their namespace.
describeKubernetes('an engine that has its rights in some namespaces only', (cluster) => {
  let world: ScriptWorld;
  let account: ChartAccount;
  let engine: KubernetesProcess;
  let home: Person;
  let shop: Person;
  let bare: Person;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    const person = async (label: string): Promise<Person> =>
      new Person(cluster(), await cluster().createNamespace(label));
    [home, shop, bare] = [await person('home'), await person('shop'), await person('bare')];
    const namespaces = [home.namespace, shop.namespace, bare.namespace];
    account = await chartAccount(cluster(), home.namespace, namespaces, { held: true });
    engine = await KubernetesProcess.start({
      kubeconfig: account.kubeconfigFile,
      namespaces,
      args: [world.flag, '--kubernetes-held-roles=symphony-objects,symphony-providers,symphony-finalizers'],
    });
  });
  afterAll(async () => {
    await engine.kill();
    await account.close();
    for (const { namespace } of [home, shop, bare])
      await cluster().tryKubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
    await world.dispose();
  });

  const isGone = (namespace: string): Promise<unknown> =>
    cluster().api.until(`/api/v1/namespaces/${namespace}`, (object) => object === undefined, GONE_MS);
  const beginToDelete = (namespace: string): Promise<unknown> =>
    cluster().kubectl(['delete', 'namespace', namespace, '--wait=false']);
  const roles = (namespace: string): string =>
    `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`;
  const isHeld = (object: KubernetesObject | undefined): boolean =>
    object?.metadata.deletionTimestamp !== undefined;

  test('removes what was deployed from a namespace that is deleted, also under the next leader, before its rights end', async () => {
    const script = join(world.folder, 'scripts', 'remove.sh');
    const works = await readFile(script);
    await shop.apply(target('app', world), solution('app'), instance('app'));
    await shop.ready('instance/app');
    await writeFile(script, '#!/bin/sh\nexit 1\n');

    await beginToDelete(shop.namespace);
    await shop.until('instances', 'app', (object) => object?.status?.reason === 'ProviderFailed');
    await cluster().api.until(`${roles(shop.namespace)}/symphony-objects`, isHeld, GONE_MS);
    await engine.kill();
    await engine.begin();
    expect(await world.deployed()).toEqual(['app']);
    expect(await account.refused()).toEqual([]);

    await writeFile(script, works);
    await chmod(script, 0o755);
    await isGone(shop.namespace);
    expect(await world.deployed()).toEqual([]);
  });

  test('does not hold up the deletion of a namespace in which it has nothing, also when one has begun to let go before', async () => {
    // As a leader that ended after its first step: nobody may look any more at what is there.
    const first = `${roles(bare.namespace)}/symphony-objects`;
    await cluster().api.call('PATCH', first, { metadata: { finalizers: null } });
    await cluster().api.call('DELETE', first);
    await beginToDelete(bare.namespace);
    await isGone(bare.namespace);
  });

  test('goes on in the others', async () => {
    await home.apply(target('stays', world), solution('stays'), instance('stays'));
    await home.ready('instance/stays');
    expect(await world.deployed()).toEqual(['stays']);
  });

  test('lets Roles go that are deleted while their namespace is not, and no others', async () => {
    const { api } = cluster();
    const path = roles(home.namespace);
    const rules = [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] }];
    const finalizers = ['rights.engine.symphony/finalizer'];
    await api.call('POST', path, { metadata: { name: 'symphony-providers', finalizers }, rules });
    await api.call('POST', path.replace(/roles$/, 'rolebindings'), {
      metadata: { name: 'symphony-providers', finalizers },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'symphony-providers' },
    });
    await home.delete('rolebinding/symphony-providers', 'role/symphony-providers');
    expect((await api.call('GET', `${path}/symphony-objects`)).metadata.finalizers).toEqual(finalizers);

    const all = ['role/symphony-objects', 'rolebinding/symphony-objects', 'rolebinding/symphony-finalizers'];
    await home.delete(...all);
    expect(await world.deployed()).toEqual(['stays']);
  });
});
