import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, solution, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** What a run says; when and by which run it was said, and which leader wrote it, may differ. */
function told({ status }: SymphonyObject): object {
  const { provisioningStatus, conditions = [], ...rest } = structuredClone({ ...status }) as Told;
  for (const name of OF_THE_RUN) delete rest[name];
  const { operationId: _run, ...provisioning } = provisioningStatus ?? {};
  const times = conditions.map(({ lastTransitionTime: _at, ...condition }) => condition);
  return { ...rest, provisioningStatus: provisioning, conditions: times };
}

const OF_THE_RUN = ['lastModified', 'epoch', 'startedAt', 'progress', 'runningJobId', 'expectedRunningJobId'];

interface Told {
  [field: string]: unknown;
  provisioningStatus?: { operationId?: string };
  conditions?: { lastTransitionTime?: string }[];
}

describeKubernetes('a status that somebody edited by hand', (cluster) => {
  let scene: Scene;

  beforeAll(async () => {
    await installCustomResources(cluster());
    // Nothing but the edit can bring a run about.
    const args = ['--reconcile-interval=0'];
    scene = await Scene.begin(cluster(), await cluster().createNamespace('edited'), { args });
  });
  afterAll(async () => {
    await scene.end();
    await scene.letAllGo();
  });

  const edit = (name: string, status: unknown): Promise<unknown> =>
    scene.cluster.api.call('PATCH', `${pathOf(name)}/status`, { status });
  const pathOf = (name: string): string =>
    `/apis/solution.symphony/v1/namespaces/${scene.me.namespace}/instances/${name}`;

  const edits: [string, unknown][] = [
    ['taken away', null],
    ['made to fail', { status: 'Failed', reason: 'Made up', statusDetails: 'by hand' }],
    ['without its conditions', { conditions: null }],
    ['with another hash', { deploymentHash: 'made-up' }],
    ['with a generation of the future', { observedGeneration: 99, generation: 99 }],
    ['without its orders', { orders: null }],
    ['without its targets', { targetStatuses: [], targets: 0, deployed: 7 }],
  ];

  test.each(edits)('%s is put right at once, by one look that changes nothing', async (_how, status) => {
    const name = `edited-${edits.findIndex(([, each]) => each === status)}`;
    await scene.deployed(name, {}, { annotations: { 'symphony/reconcile': 'once' } });
    await scene.me.until('instances', name, (object) =>
      (object?.status?.orders ?? []).some(({ request }) => request === 'once'),
    );
    const before = await scene.me.get('instances', name);
    const [looks, applies] = [await scene.calls(name, 'get'), await scene.calls(name, 'apply')];

    await edit(name, status);
    await expect
      .poll(async () => orderless(told(await scene.me.get('instances', name))), POLL)
      .toEqual(orderless(told(before)));
    // What was ordered before this has been done when this is.
    await scene.deployed(`${name}-after`);
    expect(await scene.calls(name, 'get')).toBeLessThanOrEqual(looks + 1);
    expect(await scene.calls(name, 'apply')).toBe(applies);
    const after = await scene.me.get('instances', name);
    expect(after.metadata.generation).toBe(before.metadata.generation);
    expect(after.status?.orders?.map(({ request }) => request)).toEqual(['once']);
  });

  test('to say that all is well, says again what is wrong', async () => {
    const name = 'not-well';
    await scene.me.apply(
      ...scene.partsOf(name, {
        components: [{ name: 'c', properties: { of: "${{$property('nowhere')}}" } }],
      }),
    );
    await scene.me.until('instances', name, (object) => object?.status?.status === 'Failed');
    const before = await scene.me.get('instances', name);
    const conditions = before.status?.conditions?.map((condition) => ({
      ...condition,
      status: condition.type === 'Ready' ? 'True' : 'False',
    }));
    await edit(name, { status: 'Succeeded', reason: 'Succeeded', conditions, deploymentHash: 'made-up' });
    await scene.me.until('instances', name, (object) => object?.status?.status === 'Failed');
    expect(orderless(told(await scene.me.get('instances', name)))).toEqual(orderless(told(before)));
    expect(await scene.isThere(name)).toBe(false);
  });

  test('to be that of a later leader than there ever was, is written again by the next change', async () => {
    await scene.deployed('outranked');
    await edit('outranked', { epoch: 2 ** 50 });
    await scene.me.apply(solution('outranked', 2));
    await expect.poll(() => scene.calls('outranked', 'apply'), POLL).toBe(2);
    await scene.me.apply(instance('outranked', { parameters: { more: '1' } }));
    const generation = '--for=jsonpath={.status.observedGeneration}=2';
    await scene.me.kubectl('wait', generation, '--timeout=100s', 'instance/outranked');
    await scene.me.ready('instance/outranked');
    await scene.deployed('outranked-after');
  });

  test('again and again, costs few runs', async () => {
    await scene.deployed('fought');
    const looks = await scene.calls('fought', 'get');
    for (let turn = 0; turn < 50; turn++) await edit('fought', { statusDetails: `by hand ${turn}` });
    await scene.deployed('fought-after');
    expect(await scene.calls('fought', 'get')).toBeLessThanOrEqual(looks + 2);
  });

  test('while nobody leads, is put right by the next leader or its next look', async () => {
    await scene.deployed('unseen', { reconciliationPolicy: { interval: '2s' } });
    await scene.deployed('vanished');
    const before = await scene.me.get('instances', 'unseen');
    await scene.engine.kill();
    await edit('unseen', { statusDetails: 'by hand', deploymentHash: 'made-up', conditions: null });
    await edit('vanished', null);
    await scene.engine.begin();
    await expect
      .poll(async () => orderless(told(await scene.me.get('instances', 'unseen'))), POLL)
      .toEqual(orderless(told(before)));
    await scene.me.ready('instance/vanished');
    expect(await scene.calls('vanished', 'apply')).toBe(1);
  });
});

/** When an order was handled may differ. */
function orderless(status: object): object {
  return { ...status, orders: undefined };
}
