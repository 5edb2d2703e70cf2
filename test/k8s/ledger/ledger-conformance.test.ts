import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import type { DeployableKind } from '@symphony/model';
import { typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import { FencedError, type Fence } from '../../../src/modules/queue/index.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { openKubernetesParts } from '../../support/kubernetes-parts.js';
import { ledgerConformance, type LedgerRun } from '../../support/ledger-conformance.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describeKubernetes('ledgers as custom resources', (cluster) => {
  let namespace: string;
  beforeAll(async () => {
    await installCustomResources(cluster());
    namespace = await cluster().createNamespace('ledger');
  });
  afterAll(() => cluster().api.call('DELETE', `/api/v1/namespaces/${namespace}`));

  let turn = 0;
  let term = 1;
  ledgerConformance(async () => {
    const own = `-${++turn}`;
    /** An engine that takes itself for the leader for ever; of its own claims the newest of each lane counts. */
    const engine = async () => {
      const newest = new Map<string, number>();
      const assertFence = ({ laneId, epoch }: Fence): void => {
        if ((newest.get(laneId) ?? epoch) > epoch) throw new FencedError();
      };
      const parts = await openKubernetesParts(cluster(), { namespaces: [namespace], assertFence });
      let epoch = ++term * 1_000;
      return {
        ...parts,
        claimOf: (owner: LedgerRun['owner']): LedgerRun => {
          newest.set(owner.uid, ++epoch);
          return { owner, fence: { laneId: owner.uid, epoch }, ledger: parts.ledger };
        },
      };
    };
    const first = await engine();
    const created: [DeployableKind, string, string][] = [];
    const engines = [first];
    onTestFinished(async () => {
      const newest = engines.at(-1) ?? first;
      for (const [kind, name, uid] of created) {
        await newest.ledger.releaseOwner(uid);
        await newest.finalizers.remove(kind, { namespace, name }, uid);
        await newest.client.delete(typeOf(kind), { namespace, name });
      }
      for (const each of engines) await each.close();
    });

    const stored = async (kind: DeployableKind, name: string): Promise<string> => {
      const spec = kind === 'Instance' ? { solution: 's', target: { name: 't' } } : {};
      const object = { metadata: { name, namespace }, spec } as CustomObject<DeployableKind>;
      const { metadata } = await first.client.create(typeOf(kind), object);
      const { uid = '', resourceVersion = '' } = metadata;
      created.push([kind, name, uid]);
      await first.objects.of(kind).waitFor({ namespace, resourceVersion }, { deadlineMs: 30_000 });
      return uid;
    };
    return {
      target: async (name) => ({ uid: await stored('Target', `${name}${own}`), name: `${name}${own}` }),
      claim: async (name) => {
        const uid = await stored('Instance', `${name}${own}`);
        return first.claimOf({ kind: 'Instance', namespace, name: `${name}${own}`, uid });
      },
      takeOver: async ({ owner }) => {
        const next = await engine();
        engines.push(next);
        return next.claimOf(owner);
      },
      claimAgain: ({ owner }) => Promise.resolve(first.claimOf(owner)),
    };
  });
});
