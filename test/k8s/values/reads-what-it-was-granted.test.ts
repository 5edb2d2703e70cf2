import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { SIGNING_KEY } from '../../../src/modes/k8s/names.js';
import { mockControl, type MockControl } from '../../../src/modules/providers/index.js';
import { chartAccount, type ChartAccount } from '../../support/chart-account.js';
import { missingHelm, readingRights, renderedChart } from '../../support/chart.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, manifest, Person } from '../../support/kubernetes-flow.js';
import { startKubernetesEngine } from '../../support/kubernetes-engine.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const READABLE = { secrets: ['database', 'late', 'rotated', 'gone', 'bytes'], configMaps: ['settings'] };
const NO_UTF8 = Buffer.from([0xff, 0xfe, 0x00]).toString('base64');

const secret = (name: string, stringData: object): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
});

describeKubernetes('expressions in Kubernetes mode', (cluster) => {
  let me: Person;
  let account: ChartAccount;
  let engine: Awaited<ReturnType<typeof startKubernetesEngine>>;

  beforeAll(async () => {
    await installCustomResources(cluster());
    me = new Person(cluster(), await cluster().createNamespace('values'));
    account = await chartAccount(cluster(), me.namespace, [me.namespace], { readable: READABLE });
    const { namespace } = me;
    engine = await startKubernetesEngine({
      kubeconfig: account.kubeconfigFile,
      home: namespace,
      namespaces: [namespace],
    });
  });
  afterAll(async () => {
    await engine.close();
    await account.close();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  /** What is applied for one instance, and what is where it is deployed. */
  function declared(name: string, properties: object): { objects: object[]; place: MockControl } {
    const id = `${me.namespace}-${name}`;
    const binding = { role: 'instance', provider: 'providers.target.mock', config: { id } };
    const objects = [
      manifest('targets', name, { topologies: [{ bindings: [binding] }] }),
      manifest('solutions', name, { components: [{ name: 'c', properties }] }),
      instance(name),
    ];
    return { objects, place: mockControl(id) };
  }
  const propertiesAt = (place: MockControl): unknown => place.contents[0]?.properties;
  const failed = (name: string, reason: string): Promise<void> =>
    me.until('instances', name, (object) => object?.status?.reason === reason);
  const stored = (): Promise<string> =>
    me.kubectl('get', 'instances,targets,solutions,ledgers,runhistories,events', '-o', 'yaml');

  test('read Secrets and ConfigMaps of their namespace, and nothing of a Secret is written down', async () => {
    const { objects, place } = declared('shop', {
      password: '${{$secret(database, password)}}',
      level: '${{$config(settings, level)}}',
      named: "${{$secret('k8s::database', 'password')}}",
    });
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } };
    await me.apply(
      secret('database', { password: 'p4ss-of-the-shop' }),
      { ...configMap, data: { level: '08' } },
      ...objects,
    );
    await me.ready('instance/shop');
    expect(propertiesAt(place)).toEqual({
      password: 'p4ss-of-the-shop',
      level: '08',
      named: 'p4ss-of-the-shop',
    });
    const written = await stored();
    expect(written).toContain('$secret(database, password)');
    expect(written).not.toContain('p4ss-of-the-shop');
    expect(written).not.toContain(Buffer.from('p4ss-of-the-shop').toString('base64'));
    const plan = await engine.client.request('GET', `/instances/shop/plan?namespace=${me.namespace}`);
    expect(plan.status).toBe(200);
    expect(plan.text).not.toContain('p4ss-of-the-shop');
  });

  test('wait for a Secret that comes later, whatever the order of kubectl apply', async () => {
    const { objects, place } = declared('late', { token: '${{$secret(late, token)}}' });
    await me.apply(...objects);
    await failed('late', 'ExpressionFailed');
    expect(place.contents).toEqual([]);
    await me.apply(secret('late', { other: 'x', token: 'came' }));
    await me.ready('instance/late');
    expect(propertiesAt(place)).toEqual({ token: 'came' });
  });

  test('see at the next look that a Secret was changed', async () => {
    const { objects, place } = declared('rotated', { token: '${{$secret(rotated, token)}}' });
    await me.apply(secret('rotated', { token: 'first' }), ...objects);
    await me.ready('instance/rotated');
    await me.apply(secret('rotated', { token: 'second' }));
    await engine.client.ok('POST', `/solution/queue?instance=rotated&namespace=${me.namespace}`);
    await expect.poll(() => propertiesAt(place), { timeout: 30_000 }).toEqual({ token: 'second' });
  });

  test('need no Secret to remove what was deployed with it', async () => {
    const { objects, place } = declared('gone', { token: '${{$secret(gone, token)}}' });
    await me.apply(secret('gone', { token: 'x' }), ...objects);
    await me.ready('instance/gone');
    expect(place.contents).toHaveLength(1);
    await me.delete('secret', 'gone');
    await me.delete('instance', 'gone');
    expect(place.contents).toEqual([]);
  });

  test('say what is not granted, and what is not text, and are tried again', async () => {
    const ungranted = declared('ungranted', { token: '${{$secret(elsewhere, token)}}' });
    const odd = declared('bytes', { token: '${{$secret(bytes, token)}}' });
    const bytes = { ...secret('bytes', {}), data: { token: NO_UTF8 } };
    await me.apply(bytes, ...ungranted.objects, ...odd.objects);
    await failed('ungranted', 'ValueUnavailable');
    await failed('bytes', 'ValueUnavailable');
    const details = async (name: string): Promise<unknown> =>
      JSON.stringify((await me.get('instances', name)).status);
    expect(await details('ungranted')).toContain(`may not read the Secret ${me.namespace}/elsewhere`);
    expect(await details('bytes')).toContain('not text');
  });

  test('never read the key that the engine signs with, which it may read itself', async () => {
    const { objects, place } = declared('thief', { key: `\${{$secret(${SIGNING_KEY}, key)}}` });
    // It is there, and the engine has the right to read it.
    const held = await me.kubectl('get', 'secret', SIGNING_KEY, '-o', 'jsonpath={.data.key}');
    expect(held).not.toBe('');
    await me.apply(...objects);
    await failed('thief', 'ExpressionFailed');
    expect(place.contents).toEqual([]);
    expect(await stored()).not.toContain(held);
  });
});

test.skipIf(missingHelm() !== undefined)('these tests grant what the chart grants', () => {
  const grants = (names: readonly string[]): object[] => [{ namespace: 'shop', names }];
  const rendered = renderedChart({
    namespace: 'symphony-system',
    values: {
      namespaces: ['shop'],
      'rbac.secrets': grants(READABLE.secrets),
      'rbac.configMaps': grants(READABLE.configMaps),
    },
  });
  const byChart = rendered
    .filter(({ metadata }) => /^symphony-(secrets|configmaps)$/.test(metadata.name))
    .map(({ metadata: { name, namespace }, ...object }) => ({ ...object, metadata: { name, namespace } }));
  expect(byChart).toHaveLength(4);
  expect(readingRights('symphony-system', 'shop', READABLE)).toEqual(expect.arrayContaining(byChart));
});
