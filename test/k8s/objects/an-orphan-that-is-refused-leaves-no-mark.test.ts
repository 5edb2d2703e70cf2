import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { UnavailableError, type DeployableKind } from '@symphony/model';
import type { ApiClient, DeleteOptions } from '../../../src/modes/k8s/client/index.js';
import { FINALIZERS } from '../../../src/modes/k8s/objects/finalizers.js';
import { toStored, typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import {
  DELETION_POLICY,
  KubernetesObjectStore,
} from '../../../src/modes/k8s/objects/kubernetes-object-store.js';
import { unlessMissing } from '../../../src/modes/k8s/objects/readable.js';
import type { KubernetesConnection } from '../../support/control-plane/connection.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { clientAs } from '../client/api-client.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const TYPE = typeOf<DeployableKind>('Instance');
const FINALIZER = FINALIZERS.Instance;

describeKubernetes('an object that is to be orphaned and cannot be deleted', (cluster) => {
  let namespace: string;
  let patcher: KubernetesConnection;

  beforeAll(async () => {
    await installCustomResources(cluster());
    namespace = await cluster().createNamespace('orphan-refused');
    // As the chart's engine has it with `api.writes: false`.
    const verbs = ['get', 'list', 'watch', 'update', 'patch'];
    patcher = await cluster().serviceAccount(namespace, 'patcher', [
      { apiGroups: ['solution.symphony'], resources: ['instances'], verbs },
    ]);
  });
  afterAll(async () => {
    await cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}`);
  });

  const admin = (): ApiClient => clientAs(cluster().admin);
  const live = (name: string): Promise<CustomObject | undefined> =>
    unlessMissing(admin().get<CustomObject>(TYPE, { namespace, name }));
  const policyOf = async (name: string): Promise<string | undefined> =>
    (await live(name))?.metadata.annotations?.[DELETION_POLICY];

  function create(name: string, annotations: Record<string, string> = {}): Promise<CustomObject> {
    const metadata = { name, namespace, annotations, finalizers: [FINALIZER] };
    return admin().create<CustomObject>(TYPE, { metadata, spec: { solution: 'app', target: { name: 't' } } });
  }

  /** @param remove what becomes of the deletion proper */
  function storeOf(client: ApiClient, remove?: (really: () => Promise<void>) => Promise<void>) {
    const faulty: Pick<ApiClient, 'delete'> = {
      delete: (type, ref, options?: DeleteOptions) => {
        const really = (): Promise<void> => client.delete(type, ref, options);
        return remove && options?.dryRun !== true ? remove(really) : really();
      },
    };
    return new KubernetesObjectStore({
      client: {
        get: (type, ref) => client.get(type, ref),
        create: (type, object) => client.create(type, object),
        replace: (type, object) => client.replace(type, object),
        patch: (type, ref, patch, options) => client.patch(type, ref, patch, options),
        ...faulty,
      },
      cache: { listed: () => [] },
      linesOf: () => ['c on t (providers.target.mock)'],
      takeReport: () => Promise.resolve(),
    });
  }

  const keyOf = (name: string) => ({ kind: 'Instance', namespace, name }) as const;

  test('is as it was when the engine may not delete it', async () => {
    const { metadata } = await create('forbidden');
    await expect(storeOf(clientAs(patcher)).orphan(keyOf('forbidden'), {})).rejects.toMatchObject({
      status: 403,
    });
    // Not even for a moment.
    expect((await live('forbidden'))?.metadata.resourceVersion).toBe(metadata.resourceVersion);
  });

  test.each([
    ['with nothing of it', undefined],
    ['with what stood there', 'ask'],
  ])(
    'that only the deletion proper tells: it is left %s, and with what others wrote',
    async (_how, policy) => {
      const name = policy === undefined ? 'refused' : 'refused-asked';
      await create(name, policy === undefined ? {} : { [DELETION_POLICY]: policy });
      const store = storeOf(admin(), async () => {
        expect(await policyOf(name)).toBe('orphan');
        const body = { metadata: { labels: { of: 'others' } } };
        await admin().patch(TYPE, { namespace, name }, { kind: 'merge', body });
        throw new UnavailableError('The API server is away.');
      });
      await expect(store.orphan(keyOf(name), {})).rejects.toMatchObject({ status: 503 });
      expect(await policyOf(name)).toBe(policy);
      expect((await live(name))?.metadata.labels).toEqual({ of: 'others' });
    },
  );

  test('is orphaned when the deletion was carried out and only its answer got lost', async () => {
    await create('lost');
    const store = storeOf(admin(), async (really) => {
      await really();
      throw new UnavailableError('The connection broke.');
    });
    await expect(store.orphan(keyOf('lost'), {})).rejects.toMatchObject({ status: 503 });
    expect((await live('lost'))?.metadata.deletionTimestamp).toBeDefined();
    expect(await policyOf('lost')).toBe('orphan');
  });

  test('is deleted under a precondition though its status is written meanwhile; not when its spec is', async () => {
    for (const [name, write] of [
      ['status', { status: { status: 'Reconciling' } }],
      ['spec', { spec: { solution: 'other' } }],
    ] as const) {
      const { version } = toStored('Instance', (await create(name)) as CustomObject<'Instance'>);
      let tries = 0;
      const store = storeOf(admin(), async (really) => {
        const options = name === 'status' ? { subresource: 'status' } : {};
        if (++tries === 1)
          await admin().patch(TYPE, { namespace, name }, { kind: 'merge', body: write }, options);
        await really();
      });
      const orphaning = store.orphan(keyOf(name), { ifMatch: [version] });
      if (name === 'status') await orphaning;
      else await expect(orphaning).rejects.toMatchObject({ status: 412 });
      const { metadata } = (await live(name)) ?? {};
      expect(metadata?.deletionTimestamp !== undefined).toBe(name === 'status');
      expect(metadata?.annotations?.[DELETION_POLICY]).toBe(name === 'status' ? 'orphan' : undefined);
    }
  });
});
