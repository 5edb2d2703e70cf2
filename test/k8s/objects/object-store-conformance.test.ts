import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { DeployableKind, LedgerEntry, ObjectKind } from '@symphony/model';
import { listAll } from '../../../src/modes/k8s/client/index.js';
import { knownObject } from '../../../src/modes/k8s/controller/known-object.js';
import { lineOf } from '../../../src/modes/k8s/ledger/ledger-object.js';
import { typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import {
  DELETION_POLICY,
  KubernetesObjectStore,
} from '../../../src/modes/k8s/objects/kubernetes-object-store.js';
import { unlessMissing } from '../../../src/modes/k8s/objects/readable.js';
import type { ObjectKey } from '../../../src/modules/state/index.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { openKubernetesParts, type KubernetesParts } from '../../support/kubernetes-parts.js';
import { objectStoreConformance, type Namespaces } from '../../support/object-store-conformance.js';

const KINDS: readonly ObjectKind[] = ['Target', 'Solution', 'Instance', 'SolutionContainer'];
const INTERVALS = { interval: 1_800_000, minInterval: 1_000 };
const FENCE = { laneId: '1', epoch: 1 };

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

// Without an engine: what one does to an object is done here.
describeKubernetes('objects as custom resources', (cluster) => {
  let namespaces: Namespaces;
  let parts: KubernetesParts;

  beforeAll(async () => {
    await installCustomResources(cluster());
    const [home = '', later = '', last = ''] = await Promise.all(
      ['objects-a', 'objects-b', 'objects-c'].map((label) => cluster().createNamespace(label)),
    );
    namespaces = { home, later, last };
    parts = await openKubernetesParts(cluster(), { namespaces: [home, later, last] });
  });
  afterAll(async () => {
    await empty();
    await parts.close();
    for (const name of Object.values(namespaces)) {
      await cluster().api.call('DELETE', `/api/v1/namespaces/${name}`);
    }
  });

  async function everything(): Promise<[ObjectKind, CustomObject][]> {
    const lists = KINDS.flatMap((kind) =>
      Object.values(namespaces).map(async (namespace) => {
        const { items } = await listAll(parts.client, typeOf(kind), { namespace });
        return items.map((item): [ObjectKind, CustomObject] => [kind, item]);
      }),
    );
    return (await Promise.all(lists)).flat();
  }

  const live = (key: ObjectKey<DeployableKind>): Promise<CustomObject | undefined> =>
    unlessMissing(parts.client.get<CustomObject>(typeOf<DeployableKind>(key.kind), key));

  /** As the engine lets an object go: with what it has in its ledger. */
  async function letGo(kind: DeployableKind, { metadata }: CustomObject): Promise<void> {
    const { namespace = '', name, uid = '' } = metadata;
    await parts.ledger.releaseOwner(uid);
    await parts.finalizers.remove(kind, { namespace, name }, uid);
  }

  async function empty(): Promise<void> {
    for (const [kind, object] of await everything()) {
      const { namespace = '', name } = object.metadata;
      if (kind === 'Target' || kind === 'Instance') await letGo(kind, object);
      await unlessMissing(parts.client.delete(typeOf(kind), { namespace, name }));
    }
  }

  /** Nothing of an earlier test is there, nor seen any more. */
  async function clear(): Promise<void> {
    await empty();
    const seen = (): number => KINDS.flatMap((kind) => parts.objects.all(kind)).length;
    await expect.poll(seen, { timeout: 30_000 }).toBe(0);
  }

  objectStoreConformance(async () => {
    await clear();
    const { client, objects, ledger } = parts;
    return {
      store: new KubernetesObjectStore({
        client,
        cache: objects,
        linesOf: (uid) => ledger.entriesAbout(uid).map(lineOf),
        takeReport: () => Promise.resolve(),
      }),
      namespaces,
      async listed() {
        for (const [kind, { metadata }] of await everything()) {
          const { namespace, resourceVersion = '' } = metadata;
          await objects.of(kind).waitFor({ namespace, resourceVersion }, { deadlineMs: 30_000 });
        }
      },
      async isOrdered(key) {
        const object = await live(key);
        return object !== undefined && knownObject(key.kind, object, INTERVALS).last === undefined;
      },
      async writeStatus(key, status) {
        const patch = { kind: 'merge' as const, body: { status } };
        await client.patch(typeOf<DeployableKind>(key.kind), key, patch, { subresource: 'status' });
      },
      async applyComponent({ kind, namespace, name, uid }) {
        if (kind !== 'Instance') throw new Error('only instances are asked for');
        const target = { metadata: { name: 't', namespace }, spec: {} };
        const { metadata } = await client.create<CustomObject>(typeOf<ObjectKind>('Target'), target);
        await expect.poll(() => objects.targets.byUid(metadata.uid ?? '')).toBeDefined();
        const entry: LedgerEntry = {
          owner: { kind, namespace, name, uid },
          targetUid: metadata.uid ?? '',
          targetName: 't',
          component: 'c',
          role: 'instance',
          provider: 'providers.target.mock',
          bindingHash: 'h',
          scope: 'default',
          binding: { role: 'instance', provider: 'providers.target.mock', config: {} },
          applied: { name: 'c' },
          digest: '',
          state: 'intent',
          generation: '1',
          updatedAt: new Date(0).toISOString(),
        };
        await ledger.begin(FENCE, [entry]);
        return lineOf(entry);
      },
      async orphaned(key) {
        const object = await live(key);
        expect(object?.metadata.annotations).toMatchObject({ [DELETION_POLICY]: 'orphan' });
        if (object) await letGo(key.kind, object);
      },
    };
  });
});
