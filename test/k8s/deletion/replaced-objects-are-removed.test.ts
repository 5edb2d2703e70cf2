import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FINALIZERS } from '../../../src/modes/k8s/objects/finalizers.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, manifest, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const POLL = { timeout: 60_000, interval: 100 };
const DISPLAYED = { displayName: 'replaced' };

describeKubernetes(
  'an object that was replaced whole, without the finalizer that the engine has put on',
  (cluster) => {
    let world: ScriptWorld;
    let me: Person;
    let engine: KubernetesProcess;

    beforeAll(async () => {
      await installCustomResources(cluster());
      world = await ScriptWorld.make();
      me = new Person(cluster(), await cluster().createNamespace('replaced'));
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

    const replace = (...input: object[]): Promise<string> =>
      cluster().kubectl(['replace', '-f', '-'], { namespace: me.namespace, input });

    /** Resolves when it has our finalizer (again). */
    const isHeld = (plural: 'targets' | 'instances', name: string, finalizer: string): Promise<void> =>
      me.until(plural, name, (object) => object?.metadata.finalizers?.includes(finalizer) ?? false);

    test('an instance whose run has something to do is held before that, and what is deployed goes with it', async () => {
      await me.apply(target('works', world), solution('works'), solution('other', 2), instance('works'));
      await me.ready('instance/works');
      await replace(instance('works', { solution: 'other' }));
      await expect.poll(() => world.applied(), POLL).toBe(2);
      expect((await me.get('instances', 'works')).metadata.finalizers).toEqual([FINALIZERS.Instance]);
      await me.delete('instance/works');
      expect(await world.deployed()).toEqual([]);
      expect(await me.owners()).toEqual([]);
    });

    test('an instance whose run has nothing to do is held as well', async () => {
      await me.apply(target('idle', world), solution('idle'), instance('idle'));
      await me.ready('instance/idle');
      const applied = await world.applied();
      await replace(instance('idle', DISPLAYED));
      await isHeld('instances', 'idle', FINALIZERS.Instance);
      expect(await world.applied()).toBe(applied);
      await me.delete('instance/idle');
      expect(await world.deployed()).toEqual([]);
    });

    test('a target is held while something is on it, and goes after that', async () => {
      await me.apply(target('place', world), solution('place'), instance('place'));
      await me.ready('instance/place');
      await replace(manifest('targets', 'place', { topologies: world.topologies, ...DISPLAYED }));
      await isHeld('targets', 'place', FINALIZERS.Target);
      await me.kubectl('delete', 'target/place', '--wait=false');
      await me.until('targets', 'place', (object) => object === undefined);
      expect(await world.deployed()).toEqual([]);
      await me.delete('instance/place');
    });

    test('one whose finalizer alone was taken off counts as orphaned', async () => {
      await me.apply(target('taken', world), solution('taken'), instance('taken'));
      await me.ready('instance/taken');
      await me.kubectl('patch', 'instance/taken', '--type=merge', '--patch={"metadata":{"finalizers":null}}');
      await me.kubectl('annotate', 'instance/taken', 'note=nothing');
      await me.delete('instance/taken');
      await expect.poll(() => me.owners(), POLL).toEqual([]);
      expect(await world.deployed()).toEqual(['taken']);
    });
  },
);
