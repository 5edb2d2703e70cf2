import { expect, it, vi } from 'vitest';
import {
  describeControlPlane,
  describeKubernetes,
  freshNamespace,
} from '../../support/control-plane/index.js';
import { accessOf, asked, tokenOf } from './access.js';

const GET = 'GET /v1alpha2/instances/:name';
const PUT = 'POST /v1alpha2/instances/:name';
const LIST = 'GET /v1alpha2/instances';
const FORBIDDEN = { status: 403, code: 'Forbidden' };
const UNKNOWN = { status: 401, code: 'TokenInvalid' };
const solution = { apiGroups: ['solution.symphony'], resources: ['instances'] };

describeKubernetes('access by the cluster', (cluster) => {
  it('knows a service account by a token for this engine, and by no other token', async () => {
    const namespace = await freshNamespace(cluster());
    const access = await accessOf(cluster(), namespace);
    const forTheServer = await cluster().serviceAccount(namespace, 'ann');
    const token = await tokenOf(cluster(), namespace, 'ann');
    expect(await access.identify(asked(token, GET))).toEqual({
      name: `system:serviceaccount:${namespace}:ann`,
      roles: [],
    });
    const [head, payload, signature = ''] = token.split('.');
    const forged = `${head}.${payload}.${signature.slice(0, -4)}AAAA`;
    const others = await tokenOf(cluster(), namespace, 'ann', 'somebody-else');
    for (const bad of [forTheServer.user.token ?? '', others, forged, 'nonsense', 'a.b.c']) {
      await expect(access.identify(asked(bad, GET))).rejects.toMatchObject(UNKNOWN);
    }
  });

  it('allows what RBAC allows: by verb, namespace and name', async () => {
    const namespace = await freshNamespace(cluster());
    const access = await accessOf(cluster(), namespace);
    await cluster().serviceAccount(namespace, 'reader', [{ ...solution, verbs: ['get', 'list'] }]);
    await cluster().serviceAccount(namespace, 'editor', [
      { ...solution, verbs: ['update', 'delete'], resourceNames: ['web'] },
    ]);
    const reader = await tokenOf(cluster(), namespace, 'reader');
    const editor = await tokenOf(cluster(), namespace, 'editor');
    const web = { params: { name: 'web' }, query: { namespace } };
    const admit = (token: string, operation: string, change: object = web) =>
      access.admit(asked(token, operation, change));

    await expect(admit(reader, GET)).resolves.toMatchObject({ cleared: true });
    await expect(admit(reader, LIST, { query: { namespace } })).resolves.toBeDefined();
    await expect(admit(reader, LIST, {})).rejects.toMatchObject(FORBIDDEN);
    await expect(admit(reader, GET, { params: { name: 'web' } })).rejects.toMatchObject(FORBIDDEN);
    await expect(admit(reader, PUT)).rejects.toMatchObject(FORBIDDEN);
    await expect(admit(reader, PUT, { ...web, query: { namespace, dryRun: 'true' } })).rejects.toMatchObject(
      FORBIDDEN,
    );
    await expect(admit(reader, 'GET /metrics', {})).rejects.toMatchObject(FORBIDDEN);

    // It may replace, and nothing but that one: to create takes a right without a name.
    const replacing = { ...web, headers: { 'if-match': '"1"' } };
    await expect(admit(editor, PUT, replacing)).resolves.toBeDefined();
    await expect(admit(editor, PUT)).rejects.toMatchObject(FORBIDDEN);
    await expect(admit(editor, PUT, { ...replacing, params: { name: 'db' } })).rejects.toMatchObject(
      FORBIDDEN,
    );
    const order = { query: { namespace, instance: 'web' } };
    await expect(admit(editor, 'POST /v1alpha2/solution/queue', order)).resolves.toBeDefined();
    await expect(admit(editor, 'GET /v1alpha2/solution/queue', order)).rejects.toMatchObject(FORBIDDEN);
    const removal = { ...web, query: { namespace, orphan: 'true' } };
    await expect(admit(editor, 'DELETE /v1alpha2/instances/:name', removal)).resolves.toBeDefined();
  });

  it('a posted deployment takes the rights to all that it brings', async () => {
    const namespace = await freshNamespace(cluster());
    const access = await accessOf(cluster(), namespace);
    const rest = { apiGroups: ['solution.symphony'], resources: ['solutions'], verbs: ['create'] };
    const mine = [{ ...solution, verbs: ['create', 'update'] }, rest];
    await cluster().serviceAccount(namespace, 'half', mine);
    await cluster().serviceAccount(namespace, 'whole', [
      ...mine,
      { apiGroups: ['fabric.symphony'], resources: ['targets'], verbs: ['create'] },
    ]);
    const body = {
      objectNamespace: namespace,
      solutionName: 's',
      solution: { spec: { components: [] } },
      instance: { metadata: { name: 'posted' }, spec: {} },
      targets: {},
    };
    const post = async (account: string, change: object = {}) =>
      access.admit(
        asked(await tokenOf(cluster(), namespace, account), 'POST /v1alpha2/solution/reconcile', {
          body: { ...body, ...change },
        }),
      );
    await expect(post('whole')).resolves.toBeDefined();
    await expect(post('half')).rejects.toMatchObject({
      ...FORBIDDEN,
      message: expect.stringContaining('create targets.fabric.symphony'),
    });
    await expect(post('whole', { objectNamespace: 'default' })).rejects.toMatchObject(FORBIDDEN);
  });

  it('forgets a service account that was deleted, within seconds', async () => {
    const namespace = await freshNamespace(cluster());
    const access = await accessOf(cluster(), namespace);
    await cluster().serviceAccount(namespace, 'leaver', [{ ...solution, verbs: ['get'] }]);
    const token = await tokenOf(cluster(), namespace, 'leaver');
    const request = asked(token, GET, { params: { name: 'web' }, query: { namespace } });
    await expect(access.admit(request)).resolves.toBeDefined();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}/serviceaccounts/leaver`);
    await vi.waitFor(() => expect(access.admit(request)).rejects.toMatchObject(UNKNOWN), {
      timeout: 30_000,
      interval: 500,
    });
  });

  it('asks once for callers that ask often, and each time for writes', async () => {
    const namespace = await freshNamespace(cluster());
    const access = await accessOf(cluster(), namespace);
    await cluster().serviceAccount(namespace, 'busy', [{ ...solution, verbs: ['get', 'update'] }]);
    const token = await tokenOf(cluster(), namespace, 'busy');
    const web = { params: { name: 'web' }, query: { namespace }, headers: { 'if-match': '*' } };
    const log = await cluster().auditLog();
    const ofEngine = async (): Promise<string[]> =>
      (await log.events())
        .filter(({ user }) => user?.username === `system:serviceaccount:${namespace}:engine`)
        .map(({ objectRef }) => objectRef?.resource ?? '');
    for (let time = 0; time < 5; time += 1) await access.admit(asked(token, GET, web));
    expect((await ofEngine()).sort()).toEqual(['subjectaccessreviews', 'tokenreviews']);
    for (let time = 0; time < 3; time += 1) await access.admit(asked(token, PUT, web));
    expect((await ofEngine()).filter((resource) => resource === 'subjectaccessreviews')).toHaveLength(4);
  });
});

describeControlPlane('access while the API server is away', (plane) => {
  it('is nobody’s, and everybody’s again afterwards', async () => {
    const { cluster } = plane();
    const namespace = await cluster.createNamespace();
    const access = await accessOf(cluster, namespace);
    await cluster.serviceAccount(namespace, 'ann', [{ ...solution, verbs: ['get', 'update'] }]);
    const token = await tokenOf(cluster, namespace, 'ann');
    const web = { params: { name: 'web' }, query: { namespace }, headers: { 'if-match': '*' } };
    await expect(access.admit(asked(token, PUT, web))).resolves.toBeDefined();
    await plane().apiServer.stop();
    await expect(access.admit(asked(token, PUT, web))).rejects.toMatchObject({ status: 503 });
    await expect(access.admit(asked('unknown', GET, web))).rejects.toMatchObject({ status: 503 });
    await plane().apiServer.start();
    await vi.waitFor(() => expect(access.admit(asked(token, PUT, web))).resolves.toBeDefined(), {
      timeout: 30_000,
      interval: 200,
    });
  });
});
