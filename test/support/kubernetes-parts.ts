import type { DeployableKind } from '@symphony/model';
import { ApiClient, fixedAccess } from '../../src/modes/k8s/client/index.js';
import {
  LEDGER_INDEXES,
  LEDGER_TYPE,
  type LedgerReflector,
} from '../../src/modes/k8s/ledger/ledger-object.js';
import { KubernetesLedger } from '../../src/modes/k8s/ledger/kubernetes-ledger.js';
import { Finalizers } from '../../src/modes/k8s/objects/finalizers.js';
import { ObjectReflectors } from '../../src/modes/k8s/objects/object-reflectors.js';
import { Reflector } from '../../src/modes/k8s/reflector/index.js';
import type { Fence } from '../../src/modules/queue/index.js';
import type { TestCluster } from './control-plane/cluster.js';

/** What an engine sees and writes of some namespaces, without the engine. */
export interface KubernetesParts {
  client: ApiClient;
  objects: ObjectReflectors;
  ledgers: LedgerReflector;
  ledger: KubernetesLedger;
  finalizers: Finalizers;
  close(): Promise<void>;
}

export interface KubernetesPartsOptions {
  namespaces: readonly string[];
  /** Default: every fence holds, as for a leader that has not noticed that it is none any more. */
  assertFence?: (fence: Fence) => void;
}

export async function openKubernetesParts(
  cluster: TestCluster,
  { namespaces, assertFence = () => undefined }: KubernetesPartsOptions,
): Promise<KubernetesParts> {
  const { server, ca, user } = cluster.admin;
  const headers = { authorization: `Bearer ${user.token}` };
  const client = new ApiClient({ access: fixedAccess(server, { headers, tls: { ca } }) });
  const shared = { client, namespaces, log: { warn: () => undefined } };
  const objects = new ObjectReflectors(shared);
  const ledgers: LedgerReflector = new Reflector({
    ...shared,
    type: LEDGER_TYPE,
    indexes: LEDGER_INDEXES,
  });
  const finalizers = new Finalizers({
    client,
    seen: (kind, ref) => objects.get(kind, ref),
    written: (kind, object) => objects.of<DeployableKind>(kind).seen(object),
  });
  const ledger = new KubernetesLedger({
    client,
    cache: ledgers,
    assertFence,
    keepOwner: async ({ kind, namespace, name, uid }) => {
      if (kind !== 'Inline') await finalizers.add(kind, { namespace, name }, uid);
    },
    targets: {
      isOurs: () => true,
      specOf: (uid) => objects.targets.byUid(uid)?.spec,
      keep: ({ namespace, name, uid }) => finalizers.add('Target', { namespace, name }, uid),
      wasLeft: () => undefined,
    },
  });
  objects.start();
  ledgers.start();
  await Promise.all([
    objects.whenSynced(AbortSignal.timeout(30_000)),
    ledgers.whenSynced({ deadlineMs: 30_000 }),
  ]);
  return {
    client,
    objects,
    ledgers,
    ledger,
    finalizers,
    async close() {
      await Promise.all([objects.stop(), ledgers.stop()]);
      await client.close();
    },
  };
}
