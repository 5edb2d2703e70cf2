import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.js';
import { LEASE } from '../../src/modes/k8s/names.js';
import { runRelease } from '../../src/modes/k8s/release/command.js';
import { describeControlPlane, type KubernetesObject } from '../support/control-plane/index.js';
import { installCustomResources } from '../support/custom-resources.js';
import { mockTopology } from '../support/engine.js';
import { startKubernetesEngine } from '../support/kubernetes-engine.js';

const TEST_MS = 240_000;
const FOREIGN = 'example.org/keep';

describeControlPlane('release', (plane) => {
  test(
    'takes the Lease from a running engine and our finalizers off, and leaves all else to the next installation',
    async () => {
      const { cluster } = plane();
      await installCustomResources(cluster);
      const kubeconfig = cluster.kubeconfigFile;
      const engine = await startKubernetesEngine({ kubeconfig, home: 'default' });
      const input: KubernetesObject[] = [
        {
          apiVersion: 'fabric.symphony/v1',
          kind: 'Target',
          metadata: { name: 'edge' },
          spec: { topologies: mockTopology('released') },
        },
        {
          apiVersion: 'solution.symphony/v1',
          kind: 'Solution',
          metadata: { name: 'app' },
          spec: { components: [{ name: 'web' }] },
        },
        {
          apiVersion: 'solution.symphony/v1',
          kind: 'Instance',
          metadata: { name: 'app', finalizers: [FOREIGN] },
          spec: { solution: 'app', target: { name: 'edge' } },
        },
      ];
      await cluster.kubectl(['apply', '-f', '-'], { input });
      await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=60s', 'instance/app'], {
        timeoutMs: TEST_MS,
      });
      const instance = '/apis/solution.symphony/v1/namespaces/default/instances/app';
      expect((await cluster.api.call('GET', instance)).metadata.finalizers).toHaveLength(2);

      const said: string[] = [];
      const io = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
      const flags = new Map([
        ['mode', 'k8s'],
        ['kubernetes.kubeconfig', kubeconfig],
        ['kubernetes.leaseNamespace', 'default'],
      ]);
      const code = await runRelease(loadConfig({ flags, env: {} }).config, io);
      expect(said.join('')).toMatch(/finalizers off \d targets, 1 instances and 1 ledgers/);
      expect(code).toBe(0);

      // The engine still runs, and does not come back to it.
      const lease = await cluster.api.call<KubernetesObject & { spec: { holderIdentity: string } }>(
        'GET',
        `/apis/coordination.k8s.io/v1/namespaces/default/leases/${LEASE}`,
      );
      expect(lease.spec.holderIdentity).toMatch(/^release_/);
      expect((await cluster.api.call('GET', instance)).metadata.finalizers).toEqual([FOREIGN]);
      const { items } = await cluster.api.call<{
        items: (KubernetesObject & { spec: { entries: object[] } })[];
      }>('GET', '/apis/engine.symphony/v1/ledgers');
      expect(items.map(({ metadata, spec }) => [metadata.finalizers ?? [], spec.entries.length])).toEqual([
        [[], 1],
      ]);
      await engine.close();

      // The next installation takes hold again, and removes what this one has deployed.
      const next = await startKubernetesEngine({ kubeconfig, home: 'default' });
      await cluster.api.until(
        instance,
        (object) => object?.metadata.finalizers?.includes('instance.solution.symphony/finalizer') ?? false,
        60_000,
      );
      await cluster.kubectl([
        'wait',
        '--for=jsonpath={.metadata.finalizers[0]}',
        'ledgers',
        '--all',
        '--timeout=20s',
      ]);
      await cluster.api.call('DELETE', instance);
      const foreignOnly = (object?: KubernetesObject): boolean =>
        JSON.stringify(object?.metadata.finalizers) === JSON.stringify([FOREIGN]);
      await cluster.api.until(instance, foreignOnly, 30_000);
      await cluster.api.call('PATCH', instance, { metadata: { finalizers: [] } });
      await cluster.kubectl(['delete', 'target/edge', '--timeout=20s']);
      await next.close();
    },
    TEST_MS,
  );
});
