import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, Person, solution, target, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

describeKubernetes('the removal of an object that was deleted with kubectl', (cluster) => {
  let world: ScriptWorld;
  let me: Person;
  let engine: KubernetesProcess;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    me = new Person(cluster(), await cluster().createNamespace('deletion'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      args: [world.flag],
    });
  });
  afterAll(async () => {
    await engine.kill();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
    await world.dispose();
  });

  const isLate = (object: SymphonyObject | undefined): boolean => object?.status?.reason === 'DeleteTimedOut';

  test('is late by the same clock under the next leader, tells what is left, and ends when it can', async () => {
    const script = join(world.folder, 'scripts', 'remove.sh');
    const works = await readFile(script);
    await me.apply(
      target('late', world),
      solution('late'),
      instance('late', {}, { annotations: { 'delete-timeout': '20s' } }),
    );
    await me.ready('instance/late');
    await writeFile(script, '#!/bin/sh\nexit 1\n');
    await me.kubectl('delete', 'instance/late', '--wait=false');
    await me.until('instances', 'late', (object) => object?.status?.reason === 'ProviderFailed');
    await engine.kill();
    const { metadata } = await me.get('instances', 'late');
    await engine.begin();
    await me.until('instances', 'late', isLate);
    const late = await me.get('instances', 'late');
    expect(late.metadata.deletionTimestamp).toBe(metadata.deletionTimestamp);
    expect(Date.now() - Date.parse(late.metadata.deletionTimestamp ?? '')).toBeGreaterThan(20_000);
    expect(late.status).toMatchObject({
      status: 'Failed',
      provisioningStatus: { status: 'Failed', error: { code: 'DeleteTimedOut' } },
      statusDetails: expect.stringMatching(/^Timed Out: .* within 20s\. Left: c on late\. /) as string,
    });
    expect(await world.deployed()).toEqual(['late']);
    // More time, given while it is being deleted: a run looks again at once.
    await me.kubectl('annotate', '--overwrite', 'instance/late', 'delete-timeout=1h');
    await me.until('instances', 'late', (object) => object?.status?.reason === 'ProviderFailed');
    await writeFile(script, works);
    await chmod(script, 0o755);
    await me.kubectl('annotate', 'instance/late', 'symphony/reconcile=now');
    await me.until('instances', 'late', (object) => object === undefined);
    expect(await world.deployed()).toEqual([]);
  });
});
