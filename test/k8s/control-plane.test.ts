import { expect, test } from 'vitest';
import {
  describeControlPlane,
  describeKubernetes,
  freshNamespace,
  KubernetesApiError,
  writes,
  type KubernetesObject,
} from '../support/control-plane/index.js';

// The tests' own control plane does what a real cluster does, wherever the tests of the operator count on it.

const GROUP = 'control-plane.symphony.test';
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `lamps.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'lamps', singular: 'lamp', kind: 'Lamp', listKind: 'LampList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { watts: { type: 'integer' }, limit: { type: 'integer' } },
                'x-kubernetes-validations': [
                  { rule: 'self.watts <= self.limit', message: 'a lamp takes no more than its limit' },
                  { rule: 'self.limit >= oldSelf.limit', message: 'a limit never falls' },
                ],
              },
            },
          },
        },
      },
    ],
  },
};

const lamp = (name: string, watts: number, limit: number): object => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Lamp',
  metadata: { name },
  spec: { watts, limit },
});

const configMap = (name: string, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
});

describeKubernetes('the shared cluster', (cluster) => {
  const configMapsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

  test('says which version it is, as recent as the rules of our resources need', async () => {
    const version = await cluster().api.call<{ gitVersion: string; minor: string }>('GET', '/version');
    expect(version.gitVersion).toMatch(/^v1\.\d+\.\d+/);
    expect(Number.parseInt(version.minor, 10)).toBeGreaterThanOrEqual(34);
    expect(await cluster().kubectl(['version'])).toContain(`Server Version: ${version.gitVersion}`);
  });

  test('refuses what a CEL rule of a resource forbids, at creation and at a change', async () => {
    const namespace = await freshNamespace(cluster());
    await cluster().kubectl(['apply', '-f', '-'], { input: [CRD] });
    try {
      await cluster().kubectl(['wait', '--for=condition=Established', `crd/${CRD.metadata.name}`]);
      await cluster().kubectl(['apply', '-f', '-'], { namespace, input: [lamp('good', 5, 10)] });
      const refused = await cluster().tryKubectl(['apply', '-f', '-'], {
        namespace,
        input: [lamp('bad', 11, 10)],
      });
      expect(refused).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('a lamp takes no more than its limit'),
      });
      const change = cluster().api.call('PATCH', `/apis/${GROUP}/v1/namespaces/${namespace}/lamps/good`, {
        spec: { limit: 9 },
      });
      await expect(change).rejects.toMatchObject({ status: 422, reason: 'Invalid' });
      await expect(change).rejects.toThrow('a limit never falls');
    } finally {
      await cluster().kubectl(['delete', `crd/${CRD.metadata.name}`]);
    }
  });

  test('a watch tells of each change in its order', async () => {
    const path = configMapsOf(await freshNamespace(cluster()));
    const { metadata } = await cluster().api.call('GET', path);
    const stop = new AbortController();
    const events = cluster().api.watch(
      path,
      String(metadata.resourceVersion),
      AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]),
    );
    await cluster().api.call('POST', path, configMap('watched'));
    await cluster().api.call('PATCH', `${path}/watched`, { data: { a: '1' } });
    await cluster().api.call('DELETE', `${path}/watched`);
    const seen: string[] = [];
    for await (const { type, object } of events) {
      if (object.metadata.name === 'watched') seen.push(type);
      if (type === 'DELETED') break;
    }
    stop.abort();
    expect(seen).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  });

  test('what belongs to an object that is deleted goes too', async () => {
    const path = configMapsOf(await freshNamespace(cluster()));
    const owner = await cluster().api.call('POST', path, configMap('owner'));
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
    const owned = configMap('owned', { ownerReferences: [reference] });
    await cluster().api.call('POST', path, owned);
    await cluster().api.call('DELETE', `${path}/owner`);
    await cluster().api.until(`${path}/owned`, (object) => object === undefined);
  });

  test('a namespace goes with all in it, and waits for finalizers', async () => {
    const doomed = await cluster().createNamespace('doomed');
    await cluster().api.call(
      'POST',
      configMapsOf(doomed),
      configMap('held', { finalizers: ['symphony.test/hold'] }),
    );
    await cluster().api.call('DELETE', `/api/v1/namespaces/${doomed}`);
    const holds = (object: KubernetesObject | undefined): boolean =>
      JSON.stringify(object?.['status'] ?? {}).includes('symphony.test/hold');
    await cluster().api.until(`/api/v1/namespaces/${doomed}`, holds);
    await cluster().api.call('PATCH', `${configMapsOf(doomed)}/held`, { metadata: { finalizers: null } });
    await cluster().removeNamespace(doomed);
  });

  test('a service account may do what it was granted, and nothing else', async () => {
    const namespace = await freshNamespace(cluster());
    const reader = await cluster().serviceAccount(namespace, 'reader', [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'create'] },
    ]);
    const kubectl = cluster().kubectlAs(reader);
    try {
      expect(await kubectl.run(['auth', 'whoami'])).toContain(`serviceaccount:${namespace}:reader`);
      await kubectl.run(['create', 'configmap', 'mine'], { namespace });
      const refused = await kubectl.attempt(['delete', 'configmap', 'mine'], { namespace });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('Forbidden') });
    } finally {
      kubectl.close();
    }
  });

  test('a Deployment becomes pods, though no node will run them', async () => {
    const namespace = await freshNamespace(cluster());
    await cluster().kubectl(['create', 'deployment', 'web', '--image=none', '--replicas=2'], { namespace });
    await cluster().kubectl(['wait', '--for=create', 'pods', '-l', 'app=web'], { namespace });
  });

  test('a quota is kept', async () => {
    const namespace = await freshNamespace(cluster());
    const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
    await cluster().api.call('POST', quotas, {
      metadata: { name: 'few' },
      spec: { hard: { 'count/secrets': '1' } },
    });
    // Refusing begins when the controller has counted what is there.
    await cluster().api.until(`${quotas}/few`, (quota) =>
      JSON.stringify(quota?.['status'] ?? {}).includes('used'),
    );
    const secret = (name: string): Promise<unknown> =>
      cluster().api.call('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name } });
    await secret('first');
    await expect(secret('second')).rejects.toMatchObject({ status: 403, message: /exceeded quota/ });
  });
});

describeControlPlane('a control plane of a test of its own', (plane) => {
  const path = '/api/v1/namespaces/default/configmaps';
  const api = () => plane().cluster.api;

  test('its log tells who asked for what, so that requests can be counted', async () => {
    const log = await plane().cluster.auditLog();
    await api().call('POST', path, configMap('counted'));
    await api().call('GET', `${path}/counted`);
    await expect(api().call('GET', `${path}/absent`)).rejects.toThrow(KubernetesApiError);
    await api().call('DELETE', `${path}/counted`);
    const events = await log.events();
    expect(events.map(({ verb, responseStatus }) => `${verb} ${responseStatus?.code}`)).toEqual([
      'create 201',
      'get 200',
      'get 404',
      'delete 200',
    ]);
    expect(writes(events)).toHaveLength(2);
    expect(new Set(events.map(({ user }) => user.username))).toEqual(new Set(['admin']));
    await log.forget();
    expect(await log.events()).toEqual([]);
  });

  test('the API server, killed and started again, serves the same data at the same address', async () => {
    const made = await api().call('POST', path, configMap('kept'));
    const before = plane().apiServer.pid;
    await plane().apiServer.kill();
    await expect(api().call('GET', `${path}/kept`)).rejects.toThrow('ECONNREFUSED');
    await plane().apiServer.start();
    expect(plane().apiServer.pid).not.toBe(before);
    expect((await api().call('GET', `${path}/kept`)).metadata.uid).toBe(made.metadata.uid);
    // The controllers find it again by themselves.
    await plane().cluster.removeNamespace(await plane().cluster.createNamespace());
  });

  test('etcd, killed and started again, has kept what was written', async () => {
    const made = await api().call('POST', path, configMap('written'));
    await plane().etcd.kill();
    await plane().etcd.start();
    const found = await api().until(`${path}/written`, (object) => object !== undefined);
    expect(found?.metadata.uid).toBe(made.metadata.uid);
  });

  test('an API server that is frozen answers again when it may go on', async () => {
    plane().apiServer.signal('SIGSTOP');
    try {
      let asked: Promise<unknown> = Promise.resolve();
      const answer = (): Promise<unknown> => {
        asked = api().call('GET', '/version');
        return Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 300, 'silent'))]);
      };
      // On a busy machine a thread of it may go on for some milliseconds, and answer.
      await expect.poll(answer, { timeout: 10_000 }).toBe('silent');
      plane().apiServer.signal('SIGCONT');
      await asked;
    } finally {
      plane().apiServer.signal('SIGCONT');
    }
  });

  test('without its controllers nothing is collected, with them it is', async () => {
    await plane().controllerManager.stop();
    const namespace = await plane().cluster.createNamespace();
    await api().call('DELETE', `/api/v1/namespaces/${namespace}`);
    expect(
      (await api().call('GET', `/api/v1/namespaces/${namespace}`)).metadata.deletionTimestamp,
    ).toBeDefined();
    await plane().controllerManager.start();
    await plane().cluster.removeNamespace(namespace);
  });
});
