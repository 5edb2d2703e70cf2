import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { missingHelm, renderedChart } from '../support/chart.js';
import {
  describeControlPlane,
  freshNamespace,
  type KubernetesObject,
} from '../support/control-plane/index.js';
import type { TestCluster } from '../support/control-plane/cluster.js';
import { installCustomResources } from '../support/custom-resources.js';
import type { EngineClient } from '../support/engine-client.js';
import { mockTopology } from '../support/engine.js';
import { startKubernetesEngine } from '../support/kubernetes-engine.js';

const RIGHTS = new Set(['ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']);
const RUN_MS = 90_000;

interface Values {
  namespaces?: string[];
  'api.kubernetesAuthentication'?: boolean;
  'api.adminPasswordSecret'?: string;
  'rbac.finalizers'?: boolean;
}

interface Installed {
  /** Where the engine lives. */
  home: string;
  /** Where its objects are. */
  work: string;
  engine: EngineClient;
}

// What a person with the chart has: no right more, none less. On a control plane of its own, since an engine of all namespaces
// would take up what other tests do.
describe.skipIf(missingHelm())("with the chart's rights", () => {
  describeControlPlane('the engine', (plane) => {
    const cluster = (): TestCluster => plane().cluster;
    const ends: (() => Promise<unknown>)[] = [];
    beforeAll(() => installCustomResources(cluster()));
    afterEach(async () => {
      for (const end of ends.splice(0).toReversed()) await end();
    });

    async function install(valuesFor: (work: string) => Values): Promise<Installed> {
      const home = await freshNamespace(cluster(), 'home');
      const work = await freshNamespace(cluster(), 'work');
      const values = { 'crds.install': false, ...valuesFor(work) };
      const input = renderedChart({ namespace: home, values }).filter(({ kind = '' }) => RIGHTS.has(kind));
      await cluster().kubectl(['apply', '-f', '-'], { input });
      ends.push(() => cluster().tryKubectl(['delete', '--ignore-not-found', '-f', '-'], { input }));
      const { status } = await cluster().api.call<KubernetesObject & { status: { token: string } }>(
        'POST',
        `/api/v1/namespaces/${home}/serviceaccounts/symphony/token`,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      );
      const { server, ca } = cluster().admin;
      const kubectl = cluster().kubectlAs({ server, ca, user: { token: status.token } });
      ends.push(() => Promise.resolve(kubectl.close()));
      const engine = await startKubernetesEngine({
        kubeconfig: kubectl.kubeconfigFile,
        home,
        namespaces: values.namespaces,
      });
      ends.push(engine.close);
      return { home, work, engine: engine.client };
    }

    const manifests = (name: string): KubernetesObject[] => [
      {
        apiVersion: 'solution.symphony/v1',
        kind: 'Instance',
        metadata: { name },
        spec: { solution: name, target: { name } },
      },
      {
        apiVersion: 'fabric.symphony/v1',
        kind: 'Target',
        metadata: { name },
        spec: { topologies: mockTopology(name), components: [{ name: 'agent' }] },
      },
      {
        apiVersion: 'solution.symphony/v1',
        kind: 'Solution',
        metadata: { name },
        spec: { components: [{ name: 'web', properties: { port: 80 } }] },
      },
    ];

    const ways: [string, (work: string) => Values][] = [
      [
        'in some namespaces',
        (work) => ({
          namespaces: [work],
          'api.kubernetesAuthentication': false,
          'api.adminPasswordSecret': 'admin',
          // The Roles go when the engine has ended.
          'rbac.finalizers': false,
        }),
      ],
      ['in all namespaces', () => ({})],
    ];
    test.each(ways)(
      '%s deploys, changes and removes what kubectl and REST say, and is refused nothing',
      async (_where, valuesFor) => {
        const log = await cluster().auditLog();
        const { home, work, engine } = await install(valuesFor);
        const input = manifests('app');
        const ready = ['wait', '--for=condition=Ready', '--timeout=60s', 'instance/app', 'target/app'];
        await cluster().kubectl(['apply', '-f', '-'], { namespace: work, input });
        await cluster().kubectl(ready, { namespace: work, timeoutMs: RUN_MS });
        expect(await cluster().kubectl(['get', 'ledgers', '-o', 'name'], { namespace: work })).toMatch(
          /ledger/,
        );

        const body = {
          metadata: { namespace: work },
          spec: { components: [{ name: 'web' }, { name: 'db' }] },
        };
        const changed = await engine.request('POST', `/solutions/app?namespace=${work}`, body);
        expect(changed.status, changed.text).toBe(200);
        const second =
          '--for=jsonpath={.status.targetStatuses[0].componentStatuses[?(@.name=="db")].name}=db';
        const two = ['wait', second, '--timeout=60s', 'instance/app'];
        await cluster().kubectl(two, { namespace: work, timeoutMs: RUN_MS });

        await cluster().kubectl(['delete', '--timeout=60s', '-f', '-'], {
          namespace: work,
          input,
          timeoutMs: RUN_MS,
        });
        const ledgers = (): Promise<string> =>
          cluster().kubectl(['get', 'ledgers', '-o', 'name'], { namespace: work });
        await expect.poll(ledgers, { timeout: 20_000 }).toBe('');

        const user = `system:serviceaccount:${home}:symphony`;
        const refused = (await log.events())
          .filter((event) => event.user.username === user && event.responseStatus?.code === 403)
          .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
        expect([...new Set(refused)]).toEqual([]);
      },
      2 * RUN_MS,
    );
  });
});
