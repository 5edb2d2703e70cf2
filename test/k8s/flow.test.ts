import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { chartAccount, type ChartAccount } from '../support/chart-account.js';
import { describeKubernetes } from '../support/control-plane/index.js';
import { installCustomResources } from '../support/custom-resources.js';
import { instance, manifest, Person, solution, target } from '../support/kubernetes-flow.js';
import { KubernetesProcess } from '../support/kubernetes-process.js';
import { ScriptWorld } from '../support/script-world.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const POLL = { timeout: 100_000, interval: 100 };

// The flow figure of the documents, by kubectl alone. What is deployed is a file for each instance, outside of all engines.
describeKubernetes('by kubectl', (cluster) => {
  let world: ScriptWorld;
  let broken: ScriptWorld;
  let engine: KubernetesProcess;
  let account: ChartAccount;
  let me: Person;
  let doomed: Person;

  beforeAll(async () => {
    await installCustomResources(cluster());
    [world, broken] = await Promise.all([ScriptWorld.make(), ScriptWorld.make()]);
    me = new Person(cluster(), await cluster().createNamespace('flow'));
    doomed = new Person(cluster(), await cluster().createNamespace('doomed'));
    const namespaces = [me.namespace, doomed.namespace];
    // Those of an engine of all namespaces: a Role would go with its namespace, before the engine has done its part.
    account = await chartAccount(cluster(), me.namespace);
    engine = await KubernetesProcess.start({
      kubeconfig: account.kubeconfigFile,
      namespaces,
      args: [
        `--providers-script-allowed-folders=${world.folder},${broken.folder}`,
        '--reconcile-min-interval=1s',
      ],
    });
  });
  afterAll(async () => {
    await engine.stop();
    for (const each of [world, broken]) await each.dispose();
    const refused = await account.refused();
    await account.close();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
    // The chart's rights are enough.
    expect(refused).toEqual([]);
  });

  /** Applied and deployed. */
  async function deployed(name: string, spec: object = {}, metadata: object = {}): Promise<void> {
    await me.apply(target(name, world), solution(name), instance(name, spec, metadata));
    await me.ready(`instance/${name}`);
    expect(await world.deployed()).toContain(name);
  }
  const calls = async (name: string, operation: string): Promise<number> =>
    (await world.notes()).filter(
      (note) => note.instance === name && note.operation === operation && note.what === 'end',
    ).length;
  const isThere = async (name: string): Promise<boolean> => (await world.deployed()).includes(name);
  /** As somebody else who takes the workload away. */
  const drift = (name: string): void => rmSync(join(world.folder, 'there', name));

  describe('what is applied', () => {
    test('is deployed in whatever order it comes, and says what it waits for', async () => {
      await me.apply(instance('late'));
      await me.until('instances', 'late', (object) => object?.status?.reason === 'SolutionNotFound');
      await me.apply(target('late', world));
      await me.apply(solution('late'));
      await me.ready('instance/late');
      const { status } = await me.get('instances', 'late');
      expect(status).toMatchObject({
        status: 'Succeeded',
        provisioningStatus: { status: 'Succeeded' },
        deployed: 1,
        observedGeneration: 1,
      });
      expect(await isThere('late')).toBe(true);
      expect(await me.owners()).toContain('late');
    });

    test('changes when its solution does, and is not deployed again when nothing does', async () => {
      await deployed('changed');
      const before = await calls('changed', 'apply');
      const hash = (): Promise<string> =>
        me.kubectl('get', 'instance/changed', '-o', 'jsonpath={.status.deploymentHash}');
      const first = await hash();
      await me.apply(solution('changed', 2));
      // Its last status is written after the script has ended; until then the one of before says that it is ready.
      await expect.poll(hash, POLL).not.toBe(first);
      expect(await calls('changed', 'apply')).toBe(before + 1);
      await me.ready('instance/changed');
      const { metadata } = await me.get('instances', 'changed');
      await me.apply(solution('changed', 2), instance('changed'), target('changed', world));
      // What was ordered before it has been done when this is.
      await deployed('changed-after');
      expect(await calls('changed', 'apply')).toBe(before + 1);
      expect((await me.get('instances', 'changed')).metadata.resourceVersion).toBe(metadata.resourceVersion);
    });

    test('shows that a job is in progress; what comes meanwhile is done afterwards', async () => {
      await world.setPace(2);
      onTestFinished(() => world.setPace(0));
      await me.apply(target('busy', world), solution('busy'), instance('busy'));
      await me.until('instances', 'busy', (object) => object?.status?.status === 'Reconciling');
      const begun = async (): Promise<number> =>
        (await world.notes()).filter(
          (note) => note.instance === 'busy' && note.operation === 'apply' && note.what === 'begin',
        ).length;
      await expect.poll(begun, POLL).toBe(1);
      await me.apply(solution('busy', 2), instance('busy', { parameters: { more: '1' } }));
      await me.kubectl(
        'wait',
        '--for=jsonpath={.status.observedGeneration}=2',
        '--timeout=100s',
        'instance/busy',
      );
      await me.ready('instance/busy');
      expect(await world.overlaps()).toEqual([]);
      expect(await begun()).toBe(2);
    });
  });

  describe('periodically', () => {
    test('drift is put right, and a look that finds nothing writes nothing', async () => {
      // Of properties its scripts can tell nothing, so that each look would find them missing.
      const bare = manifest('solutions', 'periodic', { components: [{ name: 'c' }] });
      const spec = { reconciliationPolicy: { state: 'active', interval: '2s' } };
      await me.apply(target('periodic', world), bare, instance('periodic', spec));
      await me.ready('instance/periodic');
      drift('periodic');
      await expect.poll(() => isThere('periodic'), POLL).toBe(true);
      await me.ready('instance/periodic');
      const looks = await calls('periodic', 'get');
      await expect.poll(() => calls('periodic', 'get'), POLL).toBeGreaterThan(looks + 1);
      const before = await me.get('instances', 'periodic');
      await expect.poll(() => calls('periodic', 'get'), POLL).toBeGreaterThan(looks + 3);
      expect(await me.get('instances', 'periodic')).toEqual(before);
    });

    test('nothing is looked at that is inactive, until it changes', async () => {
      await deployed('never', { reconciliationPolicy: { state: 'inactive', interval: '2s' } });
      await deployed('often', { reconciliationPolicy: { state: 'active', interval: '2s' } });
      drift('never');
      const looks = await calls('never', 'get');
      const others = await calls('often', 'get');
      await expect.poll(() => calls('often', 'get'), POLL).toBeGreaterThan(others + 2);
      expect(await calls('never', 'get')).toBe(looks);
      await me.kubectl('annotate', 'instance/never', 'symphony/reconcile=now');
      await expect.poll(() => isThere('never'), POLL).toBe(true);
    });
  });

  describe('what fails', () => {
    test('says so, and is well again with a change', async () => {
      const nowhere = [{ name: 'c', properties: { of: "${{$property('nowhere')}}" } }];
      await me.apply(
        target('error', world),
        manifest('solutions', 'error', { components: nowhere }),
        instance('error'),
      );
      await me.until('instances', 'error', (object) => object?.status?.status === 'Failed');
      const { status } = await me.get('instances', 'error');
      expect(status?.provisioningStatus?.status).toBe('Failed');
      expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False');
      await me.apply(solution('error'));
      await me.ready('instance/error');
    });

    test('is tried again without a change', async () => {
      const script = join(broken.folder, 'scripts', 'apply.sh');
      const whole = await readFile(script, 'utf8');
      await writeFile(script, '#!/bin/sh\nexit 1\n');
      await me.apply(target('retry', broken), solution('retry'), instance('retry'));
      await me.until('instances', 'retry', (object) => object?.status?.status === 'Failed');
      await writeFile(script, whole);
      await me.ready('instance/retry');
      expect(await broken.deployed()).toContain('retry');
    });
  });

  describe('what is deleted', () => {
    test('takes its workloads and its ledger with it', async () => {
      await deployed('removed');
      await me.delete('instance/removed');
      expect(await isThere('removed')).toBe(false);
      await me.delete('target/removed', 'solution/removed');
      await expect.poll(() => me.owners(), POLL).not.toContain('removed');
    });

    test('needs neither its solution nor a live target object to be removed', async () => {
      await deployed('bare');
      await me.delete('solution/bare');
      expect(await isThere('bare')).toBe(true);
      await me.kubectl('delete', '--wait=false', 'target/bare');
      await me.delete('instance/bare');
      expect(await isThere('bare')).toBe(false);
      await me.until('targets', 'bare', (object) => object === undefined);
    });

    test('as a target first, stays until nothing is on it', async () => {
      await deployed('held');
      await me.kubectl('delete', '--wait=false', 'target/held');
      await me.until('targets', 'held', (object) => object === undefined);
      await expect.poll(() => isThere('held'), POLL).toBe(false);
      await me.delete('instance/held');
    });

    test('goes in the foreground as well', async () => {
      await deployed('front');
      await me.delete('--cascade=foreground', 'instance/front');
      expect(await isThere('front')).toBe(false);
    });

    test('with deletion-policy orphan leaves its workloads', async () => {
      await deployed('orphan', {}, { annotations: { 'symphony/deletion-policy': 'orphan' } });
      await me.delete('instance/orphan');
      expect(await isThere('orphan')).toBe(true);
      await expect.poll(() => me.owners(), POLL).not.toContain('orphan');
    });

    test('past the engine, with its finalizer taken off by hand, leaves its workloads and no ledger', async () => {
      await deployed('forced');
      const finalizers = '{"metadata":{"finalizers":null}}';
      await me.kubectl('patch', 'instance/forced', '--type=merge', `--patch=${finalizers}`);
      await me.delete('instance/forced');
      await expect.poll(() => me.owners(), POLL).not.toContain('forced');
      expect(await isThere('forced')).toBe(true);
      expect(engine.output).toMatch(/has gone before what was deployed for it was removed/);
    });

    test('with its namespace takes all with it', async () => {
      await doomed.apply(target('doomed', world), solution('doomed'), instance('doomed'));
      await doomed.ready('instance/doomed', 'target/doomed');
      await cluster().removeNamespace(doomed.namespace, 120_000);
      expect(await isThere('doomed')).toBe(false);
    });
  });

  describe('when the engine is killed', () => {
    test('in the middle of a deployment, the next one ends it', async () => {
      await world.setPace(5);
      await me.apply(target('killed', world), solution('killed'), instance('killed'));
      await expect.poll(() => world.scriptOf('killed').catch(() => 0), POLL).toBeGreaterThan(0);
      await engine.kill();
      await world.setPace(0);
      await engine.begin();
      await me.ready('instance/killed');
      expect(await isThere('killed')).toBe(true);
      expect(await world.overlaps()).toEqual([]);
      await me.delete('instance/killed');
      expect(await isThere('killed')).toBe(false);
    });

    test('an order that is given while nobody leads is carried out, and marked as handled', async () => {
      await deployed('ordered', { reconciliationPolicy: { state: 'inactive' } });
      await engine.kill();
      drift('ordered');
      await me.kubectl('annotate', 'instance/ordered', 'symphony/reconcile=please');
      await engine.begin();
      await expect.poll(() => isThere('ordered'), POLL).toBe(true);
      await me.until('instances', 'ordered', (object) =>
        (object?.status?.orders ?? []).some(({ request }) => request === 'please'),
      );
    });

    test('what is deleted meanwhile is removed by the next one, and what is well is left alone', async () => {
      await deployed('well');
      await deployed('going');
      const applies = await calls('well', 'apply');
      await engine.kill();
      await me.kubectl('delete', '--wait=false', 'instance/going');
      await engine.begin();
      await me.until('instances', 'going', (object) => object === undefined);
      expect(await isThere('going')).toBe(false);
      expect(await calls('well', 'apply')).toBe(applies);
    });
  });
});
