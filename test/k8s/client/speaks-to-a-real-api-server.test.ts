import { AccessError, InvalidInputError, NotFoundError } from '@symphony/model';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  apiStatusOf,
  ApiClient,
  listAll,
  openAccess,
  pause,
  type KubeObject,
  type ResourceType,
} from '../../../src/modes/k8s/client/index.js';
import { InPodAccess } from '../../../src/modes/k8s/client/in-pod-access.js';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import { behindFaults, clientAs } from './api-client.js';
import { CONFIG_MAPS, type ConfigMap } from './config-maps.js';

const QUOTAS: ResourceType<KubeObject & { spec: object; status?: { hard?: object } }> = {
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  namespaced: true,
};

const SELF_REVIEWS: ResourceType<KubeObject & { status?: { userInfo: { username: string } } }> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  namespaced: false,
};

function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { metadata: { namespace, name }, data };
}

describeKubernetes('the API client', (cluster) => {
  it('creates, reads, replaces, patches and deletes', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const ref = { namespace, name: 'a' };
    const created = await client.create(CONFIG_MAPS, configMap(namespace, 'a', { x: '1' }));
    expect(await client.get(CONFIG_MAPS, ref)).toMatchObject({ kind: 'ConfigMap', data: { x: '1' } });
    await expect(client.create(CONFIG_MAPS, configMap(namespace, 'a'))).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    const replaced = await client.replace(CONFIG_MAPS, { ...created, data: { x: '2' } });
    await expect(client.replace(CONFIG_MAPS, { ...created, data: { x: '3' } })).rejects.toMatchObject({
      code: 'Conflict',
      status: 409,
    });
    await client.patch(CONFIG_MAPS, ref, { kind: 'merge', body: { data: { x: null, y: '4' } } });
    await client.patch(CONFIG_MAPS, ref, {
      kind: 'json',
      operations: [
        { op: 'test', path: '/data/y', value: '4' },
        { op: 'add', path: '/data/z', value: '5' },
      ],
    });
    const applied = await client.patch(CONFIG_MAPS, ref, {
      kind: 'apply',
      body: { data: { own: '6' } },
      fieldManager: 'test',
    });
    expect(applied.data).toEqual({ y: '4', z: '5', own: '6' });
    await expect(
      client.patch(CONFIG_MAPS, ref, { kind: 'apply', body: { data: { y: 'mine' } }, fieldManager: 'test' }),
    ).rejects.toMatchObject({ code: 'Conflict' });
    await expect(
      client.patch(CONFIG_MAPS, ref, {
        kind: 'merge',
        body: { metadata: { resourceVersion: replaced.metadata.resourceVersion }, data: {} },
      }),
    ).rejects.toMatchObject({ code: 'Conflict' });
    await expect(client.delete(CONFIG_MAPS, ref, { uid: 'another' })).rejects.toMatchObject({
      code: 'Conflict',
    });
    await client.delete(CONFIG_MAPS, ref, { uid: created.metadata.uid ?? '' });
    await expect(client.get(CONFIG_MAPS, ref)).rejects.toThrow(NotFoundError);
  });

  it('a dry run is checked and stores nothing', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'), { dryRun: true });
    await expect(client.get(CONFIG_MAPS, { namespace, name: 'a' })).rejects.toThrow(NotFoundError);
  });

  it('lists more than a page holds, as of one moment', async () => {
    const namespace = await freshNamespace(cluster());
    const { proxy, client } = await behindFaults(cluster().admin);
    const names = Array.from({ length: 520 }, (_, index) => `n${String(index).padStart(4, '0')}`);
    await Promise.all(names.map((name) => client.create(CONFIG_MAPS, configMap(namespace, name))));
    // Between the first page and the second the last object goes: the list shows the moment of its beginning.
    proxy.fault = ({ url }) => (url.includes('continue=') ? { delayMs: 0 } : undefined);
    const page = await client.list(CONFIG_MAPS, { namespace, limit: 500 });
    await client.delete(CONFIG_MAPS, { namespace, name: 'n0519' });
    const rest = await client.list(CONFIG_MAPS, { namespace, limit: 500, continue: page.continue });
    expect(rest.resourceVersion).toBe(page.resourceVersion);
    const listed = [...page.items, ...rest.items].map(({ metadata }) => metadata.name);
    expect(listed).toEqual(expect.arrayContaining(names));
    const all = await listAll(client, CONFIG_MAPS, { namespace });
    expect(all.items.filter(({ metadata }) => metadata.name.startsWith('n0'))).toHaveLength(519);
    expect(all.items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    // 520 objects were written over no more connections than the pool has.
    expect(proxy.peak).toBeLessThanOrEqual(32);
  });

  it('names the fields of what is not valid', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const error = await client
      .create(CONFIG_MAPS, configMap(namespace, 'a', { 'no key!': 'x' }))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).problems[0]?.path).toMatch(/^data/);
    expect(apiStatusOf(error)).toMatchObject({ httpStatus: 422, status: { reason: 'Invalid' } });
  });

  it('knows a quota, a missing right, a missing namespace and one under deletion', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    await client.create(QUOTAS, {
      metadata: { namespace, name: 'q' },
      spec: { hard: { 'count/configmaps': '0' } },
    });
    // Until the quota's controller has counted, everything is refused with other words, or let through.
    await expect
      .poll(
        () =>
          client.create(CONFIG_MAPS, configMap(namespace, `a${performance.now()}`.replace('.', '-'))).then(
            () => 'created',
            (error: unknown) => (error as AccessError).code,
          ),
        { timeout: 20_000 },
      )
      .toBe('QuotaExceeded');
    const nobody = clientAs(await cluster().serviceAccount(namespace, 'nobody'));
    await expect(nobody.get(CONFIG_MAPS, { namespace, name: 'a' })).rejects.toMatchObject({
      code: 'Forbidden',
      status: 403,
    });
    await expect(client.create(CONFIG_MAPS, configMap('never-made', 'a'))).rejects.toMatchObject({
      code: 'NamespaceNotFound',
    });
    await client
      .create(CONFIG_MAPS, {
        ...configMap(await held(namespace), 'b'),
      })
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'NamespaceTerminating' }));

    /** A namespace that stays in deletion until the test ends. */
    async function held(beside: string): Promise<string> {
      const name = `${beside}-held`;
      await cluster().api.call('POST', '/api/v1/namespaces', { metadata: { name } });
      const finalized = {
        ...configMap(name, 'holder'),
        metadata: { namespace: name, name: 'holder', finalizers: ['symphony.test/hold'] },
      };
      await client.create(CONFIG_MAPS, finalized);
      await cluster().api.call('DELETE', `/api/v1/namespaces/${name}`);
      setTimeout(() => {
        void client
          .patch(
            CONFIG_MAPS,
            { namespace: name, name: 'holder' },
            { kind: 'merge', body: { metadata: { finalizers: null } } },
          )
          .catch(() => undefined);
      }, 1_000);
      return name;
    }
  });

  it('a resource type that is not served is not an object that is missing', async () => {
    const client = clientAs(cluster().admin);
    const unknown = { ...CONFIG_MAPS, group: 'nothing.symphony', plural: 'things', kind: 'Thing' };
    await expect(client.get(unknown, { namespace: 'default', name: 'a' })).rejects.toMatchObject({
      code: 'KindNotServed',
    });
    await expect(client.list(unknown)).rejects.toMatchObject({ code: 'KindNotServed' });
  });

  it('watches what happened after a version, until the server ends it', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
    await client.create(CONFIG_MAPS, configMap(namespace, 'a'));
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    const seen: string[] = [];
    const options = {
      namespace,
      resourceVersion,
      timeoutSeconds: 2,
      idleMs: 60_000,
      signal: new AbortController().signal,
    };
    for await (const event of client.watch(CONFIG_MAPS, options)) {
      seen.push(event.type === 'BOOKMARK' ? event.type : `${event.type} ${event.object.metadata.name}`);
    }
    expect(seen.filter((text) => text.endsWith(' a'))).toEqual(['ADDED a', 'DELETED a']);
  });

  it('is configured by a kubeconfig, as kubectl is', async () => {
    const access = await openAccess({ env: { KUBECONFIG: cluster().kubeconfigFile } });
    const client = new ApiClient({ access });
    expect(client.namespace).toBe('default');
    expect(JSON.parse(await client.text('/version'))).toMatchObject({ major: '1' });
    await client.close();
  });

  it('a service account whose token is taken back goes on with the one in its file, without a failed call', async () => {
    const namespace = await freshNamespace(cluster());
    const folder = await mkdtemp(join(tmpdir(), 'symphony-account-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [first, second] = [
      await cluster().serviceAccount(namespace, 'first'),
      await cluster().serviceAccount(namespace, 'second'),
    ];
    await writeFile(join(folder, 'ca.crt'), first.ca ?? '');
    await writeFile(join(folder, 'token'), first.user.token ?? '');
    const { hostname, port } = new URL(first.server);
    const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    // Kept for an hour, so that only the server's refusal can make it read again.
    const client = new ApiClient({ access: await InPodAccess.open(env, folder, 3_600_000) });
    onTestFinished(() => client.close());
    const whoAmI = async (): Promise<string | undefined> =>
      (await client.create(SELF_REVIEWS, { metadata: { name: '' } })).status?.userInfo.username;
    const user = (name: string): string => `system:serviceaccount:${namespace}:${name}`;
    expect(await whoAmI()).toBe(user('first'));
    await writeFile(join(folder, 'token'), second.user.token ?? '');
    await cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}/serviceaccounts/first`);
    // The API server itself remembers for ten seconds whom a token stands for.
    await expect.poll(whoAmI, { timeout: 30_000, interval: 250 }).toBe(user('second'));
  });

  it('many requests share few connections', async () => {
    const { proxy, client } = await behindFaults(cluster().admin, { sockets: 4 });
    await Promise.all(
      Array.from({ length: 200 }, () => client.list(CONFIG_MAPS, { namespace: 'default', limit: 1 })),
    );
    expect(proxy.connections).toBeLessThanOrEqual(4);
    // Watches are beside the pool: they leave it free.
    const stop = new AbortController();
    const options = { resourceVersion: '', timeoutSeconds: 60, idleMs: 60_000, signal: stop.signal };
    const watching = Promise.allSettled(
      Array.from({ length: 8 }, async () => {
        for await (const event of client.watch(CONFIG_MAPS, options)) if (!event) return;
      }),
    );
    await expect.poll(() => proxy.requests.filter(({ watch }) => watch).length).toBe(8);
    await client.list(CONFIG_MAPS, { namespace: 'default' });
    expect(proxy.connections).toBeLessThanOrEqual(12);
    stop.abort();
    await watching;
    await pause(0);
  });
});
