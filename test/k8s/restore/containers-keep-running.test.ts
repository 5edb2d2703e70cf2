import { randomBytes } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { chartAccount } from '../../support/chart-account.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { describeDocker, startDocker } from '../../support/docker-engine.js';
import { instance, manifest, Person } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { Backup } from './backup.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const POLL = { timeout: 60_000, interval: 200 };

interface Container {
  Id: string;
  State: { Status: string };
  Config: { Labels: Record<string, string> };
}

// Containers are marked with the uids of their owner and target, which a restore changes.
describeDocker('on a real Docker engine', () => {
  describeKubernetes('containers whose objects come back from a backup', (cluster) => {
    it('keep running as ours; they are watched by each leader from its beginning, and are removed with their instance', async () => {
      await installCustomResources(cluster());
      const me = new Person(cluster(), await cluster().createNamespace('containers'));
      const docker = await startDocker();
      const name = `r${randomBytes(3).toString('hex')}`;
      const container = (): Promise<Container | undefined> =>
        docker.api<Container>('GET', `/containers/${name}/json`).catch(() => undefined);
      const listeners = async (): Promise<number> =>
        (await docker.api<{ NEventsListener: number }>('GET', '/info')).NEventsListener;
      const config = { host: docker.host, startGraceSeconds: '0.3' };
      const bindings = [{ role: 'instance', provider: 'providers.target.docker', config }];
      const properties = {
        'container.image': docker.images[0],
        'container.imagePullPolicy': 'Never',
        'container.commands': ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
      };
      const account = await chartAccount(cluster(), me.namespace);
      const engine = await KubernetesProcess.start({
        kubeconfig: account.kubeconfigFile,
        namespaces: [me.namespace],
      });
      try {
        await me.apply(
          manifest('targets', 'shop', { topologies: [{ bindings }] }),
          manifest('solutions', 'shop', { components: [{ name, properties }] }),
          instance('shop'),
        );
        await me.ready('instance/shop');
        const before = await container();
        const { uid } = (await me.get('instances', 'shop')).metadata;
        await engine.kill();

        const backup = await Backup.take(me);
        await backup.lose();
        await backup.restore('ledgers', 'solutions', 'targets', 'instances');
        expect((await me.get('instances', 'shop')).metadata.uid).not.toBe(uid);
        await engine.begin();
        await me.ready('instance/shop');
        expect(await container()).toMatchObject({ Id: before?.Id, State: { Status: 'running' } });

        // The next leader finds nothing to do, and runs nothing: only an event of the target can order a run.
        await engine.kill();
        await expect.poll(listeners, POLL).toBe(0);
        await engine.begin();
        // What happens before it listens is seen at the periodic look only.
        await expect.poll(listeners, POLL).toBeGreaterThan(0);
        await docker.api('DELETE', `/containers/${name}?force=true`);
        await expect
          .poll(async () => {
            const found = await container();
            return found?.Id !== before?.Id && found?.State.Status === 'running';
          }, POLL)
          .toBe(true);
        const labels = (await container())?.Config.Labels;
        expect(labels).toEqual(before?.Config.Labels);

        await me.delete('instance/shop');
        expect(await container()).toBeUndefined();
        // The chart's rights are enough.
        expect(await account.refused()).toEqual([]);
      } finally {
        await engine.kill();
        await docker.stop();
        await account.close();
        await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
      }
    });
  });
});
