import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import type { PolicyRule } from '../../support/control-plane/cluster.js';
import type { Kubectl } from '../../support/control-plane/kubectl.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, solution, target } from '../../support/kubernetes-flow.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const ALL = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const OBJECTS = ['targets', 'instances', 'solutions', 'solutioncontainers'];
const SYMPHONY = ['fabric.symphony', 'solution.symphony'];

/** What the engine needs in its one namespace; wider than the chart's where that makes no difference here. */
const RIGHTS = {
  objects: { apiGroups: SYMPHONY, resources: OBJECTS, verbs: ALL },
  statuses: { apiGroups: SYMPHONY, resources: ['targets/status', 'instances/status'], verbs: ['patch'] },
  engine: { apiGroups: ['engine.symphony'], resources: ['*'], verbs: ALL },
  leases: { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ALL },
  secrets: { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create'] },
  events: { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
} satisfies Record<string, PolicyRule>;
const LEDGERS = 'count/ledgers.engine.symphony';
const SLOWLY = { timeout: 100_000, interval: 3_000 };
interface QuotaStatus {
  hard?: Record<string, string>;
  used?: Record<string, string>;
}
type Rights = Record<keyof typeof RIGHTS, PolicyRule>;

describeKubernetes('an engine that is refused', (cluster) => {
  let scene: Scene;
  let kubectl: Kubectl;
  let pid: number | undefined;
  let role: string;
  /** Of the solution of `before`. */
  let version = 1;

  beforeAll(async () => {
    await installCustomResources(cluster());
    const namespace = await cluster().createNamespace('refused');
    role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/engine`;
    const engine = await cluster().serviceAccount(namespace, 'engine', Object.values(RIGHTS));
    kubectl = cluster().kubectlAs(engine);
    scene = await Scene.begin(cluster(), namespace, { kubeconfig: kubectl.kubeconfigFile, leaseSeconds: 9 });
    ({ pid } = scene.engine);
    await scene.deployed('before');
  });
  afterAll(async () => {
    await scene.end();
    kubectl.close();
    await scene.letAllGo();
  });

  /** Changes the quota. @returns what its controller says of it */
  async function quota(hard: Record<string, string>): Promise<QuotaStatus> {
    const path = `/api/v1/namespaces/${scene.me.namespace}/resourcequotas/room`;
    return (await cluster().api.call<{ status: QuotaStatus }>('PATCH', path, { spec: { hard } })).status;
  }
  /** The engine has these rights, and no others, while `during` lasts. */
  async function withRights(changed: Partial<Rights>, during: () => Promise<void>): Promise<void> {
    const grant = (rights: Rights): Promise<unknown> =>
      cluster().api.call('PATCH', role, { rules: Object.values(rights) });
    await grant({ ...RIGHTS, ...changed });
    try {
      await during();
    } finally {
      await grant(RIGHTS);
    }
    await scene.isUnharmed(pid);
  }
  const applied = (name: string): Promise<unknown> =>
    scene.me.apply(target(name, scene.world), solution(name), instance(name));
  /** It is said on the instance, with the words of the server, and nothing was put anywhere. */
  async function saysSo(name: string, words: RegExp): Promise<void> {
    await scene.me.until('instances', name, (object) => object?.status?.reason === 'StoreRefused');
    const { status } = await scene.me.get('instances', name);
    expect(status?.statusDetails).toMatch(words);
    expect(status?.conditions?.find(({ type }) => type === 'Stalled')?.status).toBe('True');
    expect(await scene.calls(name, 'apply')).toBe(0);
  }

  describe('for a while', () => {
    test('to write ledgers says so, calls no provider, and goes on afterwards', async () => {
      const engine = { ...RIGHTS.engine, verbs: ['get', 'list', 'watch'] };
      await withRights({ engine }, async () => {
        await applied('no-ledger');
        const applies = await scene.calls('before', 'apply');
        await saysSo('no-ledger', /cannot create resource "ledgers"/);
        await scene.me.apply(solution('before', ++version));
        await scene.me.until('instances', 'before', (object) => object?.status?.reason === 'StoreRefused');
        expect(await scene.calls('before', 'apply')).toBe(applies);
      });
      await scene.me.ready('instance/no-ledger', 'instance/before');
      expect(await scene.calls('no-ledger', 'apply')).toBe(1);
    });

    test('to put its finalizer on objects says so, calls no provider, and goes on afterwards', async () => {
      const objects = { ...RIGHTS.objects, verbs: ['get', 'list', 'watch'] };
      await withRights({ objects }, async () => {
        await applied('no-finalizer');
        await saysSo('no-finalizer', /cannot patch resource "instances"/);
      });
      await scene.me.ready('instance/no-finalizer');
    });

    test('to write statuses deploys all the same, once, says so in its log and its lanes, and catches up', async () => {
      const statuses = { ...RIGHTS.statuses, resources: ['nothing'] };
      await withRights({ statuses }, async () => {
        await applied('no-status');
        await expect.poll(() => scene.isThere('no-status'), POLL).toBe(true);
        await expect
          .poll(() => scene.engine.output, POLL)
          .toMatch(/The outcome of a run cannot be stored.*cannot patch resource \\"instances\/status\\"/);
      });
      await scene.me.ready('instance/no-status');
      expect(await scene.calls('no-status', 'apply')).toBe(1);
    });

    test('to read solutions and secrets removes nothing, and goes on afterwards', async () => {
      const objects = { ...RIGHTS.objects, resources: ['targets', 'instances'] };
      const secrets = { ...RIGHTS.secrets, verbs: ['create'] };
      await withRights({ objects, secrets }, async () => {
        await scene.me.apply(instance('before', { parameters: { more: '1' } }));
        await expect
          .poll(() => scene.engine.output, POLL)
          .toMatch(/the store refuses the engine.*cannot get resource \\"solutions\\"/);
        expect(await scene.isThere('before')).toBe(true);
      });
      await scene.me.kubectl(
        'wait',
        '--for=jsonpath={.status.observedGeneration}=2',
        '--timeout=100s',
        'instance/before',
      );
      await scene.me.ready('instance/before');
      expect(await scene.calls('before', 'remove')).toBe(0);
    });

    test('to renew its Lease stops to lead, says so, and leads again', async () => {
      const leases = { ...RIGHTS.leases, verbs: ['get', 'list', 'watch'] };
      await withRights({ leases }, async () => {
        await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/No replica leads/);
        expect((await scene.readiness()).status).toBe(200);
        await applied('no-leader');
      });
      await scene.me.ready('instance/no-leader');
      await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/This replica leads/);
    });

    test('everything at once is no end of the process, and all is made up for', async () => {
      const nothing = { apiGroups: ['none'], resources: ['none'], verbs: ['get'] };
      const none = Object.fromEntries(
        Object.keys(RIGHTS).map((name) => [name, nothing]),
      ) as unknown as Rights;
      await withRights(none, async () => {
        await applied('no-rights');
        await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/No replica leads/);
        expect(await scene.isThere('before')).toBe(true);
      });
      await scene.me.ready('instance/no-rights');
      expect(await scene.world.overlaps()).toEqual([]);
    });
  });

  test('room for a ledger by a quota says so, calls no provider, and goes on when there is room', async () => {
    const quotas = `/api/v1/namespaces/${scene.me.namespace}/resourcequotas`;
    const hard = { [LEDGERS]: '100' };
    await cluster().api.call('POST', quotas, { metadata: { name: 'room' }, spec: { hard } });
    // The controller hears of kinds that are new to it late, and looks at a quota again when that changes.
    let turn = 0;
    await expect
      .poll(async () => (await quota({ 'count/secrets': String(100 + turn++) })).used?.[LEDGERS], SLOWLY)
      .toBeDefined();
    await expect.poll(async () => (await quota({ [LEDGERS]: '0' })).hard?.[LEDGERS], POLL).toBe('0');
    const applies = await scene.calls('before', 'apply');
    await applied('no-room');
    await saysSo('no-room', /exceeded quota: room/);
    // What has its ledger goes on.
    await scene.me.apply(solution('before', ++version));
    await expect.poll(() => scene.calls('before', 'apply'), POLL).toBe(applies + 1);
    await cluster().api.call('DELETE', `${quotas}/room`);
    await scene.me.ready('instance/no-room');
    expect(await scene.calls('no-room', 'apply')).toBe(1);
    await scene.isUnharmed(pid);
  });
});
