import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { EngineClient } from '../../support/engine-client.js';
import { instance, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const POLL = { timeout: 60_000, interval: 200 };

interface Run {
  result: string;
  reason: string;
}

describeKubernetes('the history of runs', (cluster) => {
  let world: ScriptWorld;
  let me: Person;
  let engine: KubernetesProcess;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    me = new Person(cluster(), await cluster().createNamespace('history'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      args: ['--kubernetes-authentication=false', `--providers-script-allowed-folders=${world.folder}`],
    });
    await me.apply(target('site', world));
    await me.ready('target/site');
  });
  afterAll(async () => {
    await engine.stop();
    await world.dispose();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  const onSite = (name: string): object[] => [solution(name), instance(name, { target: { name: 'site' } })];
  async function asked(): Promise<EngineClient> {
    const client = new EngineClient(engine.url);
    await client.login();
    return client;
  }
  const runsOf = async (name: string): Promise<Run[]> =>
    (await asked()).ok('GET', `/instances/${name}/runs?namespace=${me.namespace}`);
  /** Objects whose runs are stored. */
  const stored = async (): Promise<string[]> => {
    const names = await me.kubectl('get', 'runhistories', '-o', 'jsonpath={.items[*].spec.owner.name}');
    return names.split(' ').filter((name) => name !== '');
  };

  test('of what is well is in the memory of the leader, and stored when that ends', async () => {
    await me.apply(...onSite('well'));
    await me.ready('instance/well');
    expect(await runsOf('well')).toMatchObject([{ result: 'succeeded' }]);
    expect(await stored()).toEqual([]);
    await engine.stop();
    expect(await stored()).toContain('well');
    await engine.begin();
    expect(await runsOf('well')).toMatchObject([{ result: 'succeeded' }]);
  });

  test('of what fails is stored at once, and that it is well again, too', async () => {
    const script = join(world.folder, 'scripts', 'apply.sh');
    const whole = await readFile(script, 'utf8');
    await writeFile(script, '#!/bin/sh\nexit 1\n');
    await me.apply(...onSite('ill'));
    await expect.poll(stored, POLL).toContain('ill');
    const results = async (): Promise<string[]> => (await runsOf('ill')).map(({ result }) => result);
    await engine.kill();
    await engine.begin();
    expect(await results()).toContain('retry');
    await writeFile(script, whole);
    await me.ready('instance/ill');
    const stands = (): Promise<string> =>
      me.kubectl(
        'get',
        'runhistories',
        '-o',
        'jsonpath={.items[?(@.spec.owner.name=="ill")].spec.runs[0].result}',
      );
    await expect.poll(stands, POLL).toBe('succeeded');
    expect(await results()).toEqual(expect.arrayContaining(['succeeded', 'retry']));
  });

  test('is lost with a leader that is killed, and nothing else: the outcome is told from the status', async () => {
    await me.apply(...onSite('killed'));
    await me.ready('instance/killed');
    await engine.kill();
    await engine.begin();
    expect(await runsOf('killed')).toEqual([]);
    expect(await (await asked()).summary('killed', me.namespace)).toMatchObject({
      state: 2,
      summary: {
        targetCount: 1,
        successCount: 1,
        allAssignedDeployed: true,
        targets: { site: { status: 'OK' } },
      },
    });
  });

  test('goes with its object, and is not stored any more', async () => {
    await me.apply(...onSite('gone'));
    await me.ready('instance/gone');
    await me.delete('instance/gone');
    await engine.stop();
    expect(await stored()).not.toContain('gone');
    await engine.begin();
  });
});
