import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MAX_POSTED_BYTES } from '../../../src/modes/k8s/posted/posted-object.js';
import { mockControl } from '../../../src/modules/providers/index.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { mockTopology } from '../../support/engine.js';
import type { EngineClient } from '../../support/engine-client.js';
import { startKubernetesEngine } from '../../support/kubernetes-engine.js';
import type { PostedRecord } from './pair.js';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });
const POLL = { timeout: 60_000, interval: 50 };

describeKubernetes('records of posted deployments', (cluster) => {
  let home: string;
  let doomed: string;
  let client: EngineClient;
  let close: () => Promise<void>;

  beforeAll(async () => {
    await installCustomResources(cluster());
    [home, doomed] = await Promise.all([
      cluster().createNamespace('records'),
      cluster().createNamespace('doomed'),
    ]);
    const { kubeconfigFile: kubeconfig } = cluster();
    ({ client, close } = await startKubernetesEngine({ kubeconfig, home, namespaces: [home, doomed] }));
  });
  afterAll(async () => {
    await close();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${home}`);
  });

  const mockOf = (name: string): string => `${home}-${name}`;
  function deployment(name: string, solution: object = {}, jobID = '1'): object {
    return {
      solution: { metadata: { name }, spec: { components: [{ name: 'web' }], ...solution } },
      instance: { metadata: { name }, spec: {} },
      targets: { t: { spec: { topologies: mockTopology(mockOf(name)) } } },
      assignments: { t: '{web}' },
      jobID,
    };
  }
  const post = (name: string, namespace = home, body = deployment(name)) =>
    client.request('POST', `/solution/reconcile?namespace=${namespace}`, body);
  async function record(name: string): Promise<PostedRecord | undefined> {
    const path = `/apis/engine.symphony/v1/namespaces/${home}/posteddeployments`;
    const { items } = await cluster().api.call<{ items: PostedRecord[] }>('GET', path);
    return items.find(({ spec }) => spec.owner.name === name);
  }
  const ledgers = (): Promise<string> =>
    cluster().kubectl(['get', 'ledgers', '-o', 'name'], { namespace: home });

  test('deleted by hand, it takes away what was deployed, and then it is gone', async () => {
    expect((await post('by-hand')).status).toBe(200);
    const mock = mockControl(mockOf('by-hand'));
    expect(mock.contents).toHaveLength(1);
    const { metadata } = (await record('by-hand')) ?? {};
    await cluster().kubectl(['delete', `posteddeployment/${metadata?.name ?? ''}`, '--timeout=60s'], {
      namespace: home,
    });
    expect(mock.contents).toEqual([]);
    expect(await ledgers()).toBe('');
    // Whoever posts it again begins anew.
    expect((await post('by-hand')).status).toBe(200);
    expect(await record('by-hand')).toMatchObject({ spec: { seq: 1, doneSeq: 1 } });
    await client.ok('POST', `/solution/reconcile?namespace=${home}&delete=true`, deployment('by-hand'));
  });

  test.each([
    ['before it is deleted', ['annotate', 'delete']],
    ['when its removal fails', ['delete', 'annotate']],
  ] as const)('to be orphaned, %s, it goes, and what was deployed stays', async (when, order) => {
    const name = `orphan-${order[0]}`;
    expect((await post(name)).status).toBe(200);
    const mock = mockControl(mockOf(name));
    mock.set({ failApply: ['*'] });
    const path = `posteddeployment/${(await record(name))?.metadata.name ?? ''}`;
    const steps = {
      annotate: ['annotate', path, 'symphony/deletion-policy=orphan'],
      delete: ['delete', path, '--wait=false'],
    };
    for (const step of order) {
      await cluster().kubectl(steps[step], { namespace: home });
      const failed = async (): Promise<string | undefined> => (await record(name))?.spec.last?.result;
      if (step === 'delete' && when !== 'before it is deleted') await expect.poll(failed, POLL).toBe('retry');
    }
    await expect.poll(() => record(name), POLL).toBeUndefined();
    expect(await ledgers()).toBe('');
    mock.heal();
    expect(mock.contents).toHaveLength(1);
    // The name is free: whoever posts it again begins anew.
    expect((await post(name)).status).toBe(200);
    await client.ok('POST', `/solution/reconcile?namespace=${home}&delete=true`, deployment(name, {}, '2'));
    expect(mock.contents).toEqual([]);
  });

  test('a namespace that is deleted goes with what was posted there, and with what that deployed', async () => {
    expect((await post('going', doomed)).status).toBe(200);
    expect(mockControl(mockOf('going')).contents).toHaveLength(1);
    await cluster().removeNamespace(doomed);
    expect(mockControl(mockOf('going')).contents).toEqual([]);
  });

  test('what fits is stored, what does not is refused with 413 and leaves nothing behind', async () => {
    const filled = (bytes: number): object => {
      // As markup it takes more in the store than on the way.
      const text = '<>&'.repeat(2_000);
      const each = Buffer.byteLength(JSON.stringify(text)) + 5 * text.length;
      const components = Array.from({ length: Math.ceil(bytes / each) }, (_, n) => ({
        name: `filler-${n}`,
        properties: { text },
      }));
      return { components: [{ name: 'web' }, ...components] };
    };
    const fits = deployment('large', filled(0.95 * MAX_POSTED_BYTES));
    mockControl(mockOf('large')).set({ failApply: ['*'] });
    expect((await post('large', home, fits)).status).toBe(500);
    // It failed, so it is kept.
    expect((await record('large'))?.spec.deployment).toHaveLength(JSON.stringify(fits).length);

    const refused = await post('too-large', home, deployment('too-large', filled(1.05 * MAX_POSTED_BYTES)));
    expect([refused.status, refused.body]).toMatchObject([413, { code: 'ObjectTooLarge' }]);
    expect(await record('too-large')).toBeUndefined();
    mockControl(mockOf('large')).heal();
    await expect.poll(async () => (await record('large'))?.spec.deployment, POLL).toBeUndefined();
  });

  test('an instance that is stored under its name takes over, and what was posted is not tried again', async () => {
    const mock = mockControl(mockOf('taken'));
    mock.set({ failApply: ['*'] });
    expect((await post('taken')).status).toBe(500);
    await client.target('stored', { topologies: mockTopology(mockOf('stored')) }, home);
    await client.solution('stored', [{ name: 'web' }], home);
    await client.instance('taken', { solution: 'stored', target: { name: 'stored' } }, home);
    await client.settled('instances', 'taken', 'Succeeded', home);
    await expect
      .poll(() => record('taken'), POLL)
      .toMatchObject({ spec: { last: { reason: 'Superseded' } } });
    expect((await record('taken'))?.spec.deployment).toBeUndefined();
    expect(await post('taken')).toMatchObject({ status: 409, body: { code: 'StoredObjectExists' } });
  });

  test('a namespace that nobody serves is not found, rather than waited for', async () => {
    expect(await post('elsewhere', 'kube-public')).toMatchObject({
      status: 404,
      body: { code: 'NamespaceNotFound' },
    });
  });
});
