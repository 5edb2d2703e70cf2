import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { EngineClient } from '../../support/engine-client.js';
import { instance, Person, solution, target, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const TICKET = 'r-1';

describeKubernetes('a removal that waits for a report, in a namespace that is being deleted', (cluster) => {
  let world: ScriptWorld;
  let home: string;
  let places: Person[];
  let leader: KubernetesProcess;
  let follower: KubernetesProcess;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    // A removal is accepted, and done by somebody else.
    const script = join(world.folder, 'scripts', 'remove.sh');
    const accepted = JSON.stringify({ c: { pending: { ticket: TICKET, deadlineSeconds: 600 } } });
    await writeFile(script, `#!/bin/sh\necho '${accepted}' >"\${1%.json}-output.json"\n`);
    await chmod(script, 0o755);
    home = await cluster().createNamespace('home');
    const namespaces = [await cluster().createNamespace('going'), await cluster().createNamespace('going')];
    places = namespaces.map((namespace) => new Person(cluster(), namespace));
    const options = {
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [home, ...namespaces],
      args: [world.flag, '--kubernetes-authentication=false', '--host=127.0.0.1'],
    };
    leader = await KubernetesProcess.start(options);
    follower = await KubernetesProcess.start({ ...options, follows: true });
  });
  afterAll(async () => {
    await Promise.all([leader.kill(), follower.kill()]);
    for (const { namespace } of places) await freed(namespace);
    await cluster().api.call('DELETE', `/api/v1/namespaces/${home}`);
    await world.dispose();
  });

  /** What a failed test leaves: nobody is there to remove it. */
  async function freed(namespace: string): Promise<void> {
    const noFinalizers = ['--type=merge', '-p={"metadata":{"finalizers":null}}'];
    for (const kind of ['ledgers', 'instances', 'targets']) {
      const { stdout } = await cluster().tryKubectl(['get', kind, '-o', 'name'], { namespace });
      for (const name of stdout.split('\n').filter((line) => line !== ''))
        await cluster().tryKubectl(['patch', name, ...noFinalizers], { namespace });
    }
  }

  const waits = (object: SymphonyObject | undefined): boolean => object?.status?.reason === 'Pending';

  test.each([
    ['the leader', 0, (): KubernetesProcess => leader],
    ['another replica', 1, (): KubernetesProcess => follower],
  ])('ends when it is reported to %s', async (_who, which, engine) => {
    const me = places[which];
    if (!me) throw new Error('there are two');
    const name = `app-${which}`;
    await me.apply(target('edge', world), solution(name), instance(name, { target: { name: 'edge' } }));
    await me.ready(`instance/${name}`);
    await cluster().kubectl(['delete', 'namespace', me.namespace, '--wait=false']);
    await me.until('instances', name, waits);
    await me.until('targets', 'edge', (object) => object?.metadata.deletionTimestamp !== undefined);

    await rm(join(world.folder, 'there', name));
    const client = new EngineClient(engine().url);
    await client.login();
    const report = `report.state=succeeded&report.ticket=${TICKET}`;
    const { status, body } = await client.request(
      'PUT',
      `/targets/status/edge/c?namespace=${me.namespace}&${report}`,
    );
    expect([status, body]).toMatchObject([200, {}]);
    const path = `/api/v1/namespaces/${me.namespace}`;
    await cluster().api.until(path, (object) => object === undefined, 60_000);
    expect(await world.deployed()).not.toContain(name);
  });
});
