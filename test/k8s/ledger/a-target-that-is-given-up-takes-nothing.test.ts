import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { DeployableKind, LedgerEntry } from '@symphony/model';
import { typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import { TargetGoneError } from '../../../src/modules/reconcile/index.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { openKubernetesParts, type KubernetesParts } from '../../support/kubernetes-parts.js';
import { Gate } from '../sieve/gate.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describeKubernetes('the ledger of a target that is given up while runs are under way', (cluster) => {
  let namespace: string;
  let parts: KubernetesParts;
  let epoch = 1_000;

  beforeAll(async () => {
    await installCustomResources(cluster());
    namespace = await cluster().createNamespace('given-up');
    parts = await openKubernetesParts(cluster(), { namespaces: [namespace] });
  });
  afterAll(async () => {
    await parts.close();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}`);
  });

  async function stored(kind: DeployableKind, name: string): Promise<string> {
    const spec = kind === 'Instance' ? { solution: 's', target: { name: 't' } } : {};
    const object = { metadata: { name, namespace }, spec } as CustomObject<DeployableKind>;
    const { uid = '', resourceVersion = '' } = (await parts.client.create(typeOf(kind), object)).metadata;
    await parts.objects.of(kind).waitFor({ namespace, resourceVersion }, { deadlineMs: 30_000 });
    return uid;
  }

  async function scene(name: string) {
    const targetUid = await stored('Target', `${name}-t`);
    const owner = { kind: 'Instance' as const, namespace, name, uid: await stored('Instance', name) };
    const entry = (component: string, state: LedgerEntry['state'] = 'intent'): LedgerEntry => ({
      owner,
      targetUid,
      targetName: `${name}-t`,
      component,
      role: 'instance',
      provider: 'providers.target.mock',
      bindingHash: 'h',
      scope: '',
      binding: { role: 'instance', provider: 'providers.target.mock', config: {} },
      applied: { name: component },
      digest: 'd',
      state,
      generation: '1',
      updatedAt: '',
    });
    const fence = { laneId: owner.uid, epoch: ++epoch };
    const begin = (...entries: LedgerEntry[]): Promise<void> => parts.ledger.begin(fence, entries);
    const components = async (): Promise<string[]> =>
      (await parts.ledger.entriesOf(owner.uid)).map(({ component }) => component);
    return { targetUid, owner, fence, entry, begin, components };
  }

  test('what is on its way there is given up with the rest, or refused; what comes later is refused', async () => {
    const { targetUid, entry, begin, components } = await scene('late');
    await begin(entry('there'));
    const gate = new Gate();
    const onTheWay = begin(entry('on-its-way')).then(
      () => 'written down',
      (error: unknown) => error,
    );
    const givenUp = parts.ledger.releaseOn(targetUid, () => gate.opened);
    expect(await onTheWay).toBeInstanceOf(TargetGoneError);
    await expect(begin(entry('late'))).rejects.toThrow(TargetGoneError);
    // A removal that was decided before: nobody would ever take it out.
    await begin(entry('there', 'removing'));
    gate.open();
    expect((await givenUp).map(({ component }) => component)).toEqual(['there', 'on-its-way']);
    expect(await components()).toEqual([]);
  });

  test('it takes something again when it could not be let go', async () => {
    const { targetUid, entry, begin, components } = await scene('stays');
    await expect(parts.ledger.releaseOn(targetUid, () => Promise.reject(new Error('away')))).rejects.toThrow(
      'away',
    );
    await begin(entry('again'));
    expect(await components()).toEqual(['again']);
  });

  test('an owner whose finalizer was dropped gets it again before something else is put anywhere', async () => {
    const { owner, entry, begin } = await scene('dropped');
    await begin(entry('first'));
    const ref = { namespace, name: owner.name };
    const body = { metadata: { finalizers: null } };
    const { metadata } = await parts.client.patch(typeOf('Instance'), ref, { kind: 'merge', body });
    await parts.objects
      .of('Instance')
      .waitFor({ namespace, resourceVersion: metadata.resourceVersion ?? '' }, { deadlineMs: 30_000 });
    await begin(entry('second'));
    const read = await parts.client.get<CustomObject>(typeOf('Instance'), ref);
    expect(read.metadata.finalizers).toHaveLength(1);
  });
});
