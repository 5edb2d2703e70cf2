import { ApiClient, openAccess } from '../../src/modes/k8s/client/index.js';
import { holderOf, LEASES } from '../../src/modes/k8s/leadership/lease.js';
import { LEASE } from '../../src/modes/k8s/names.js';

export interface HeldLease {
  kubeconfig: string;
  namespace: string;
  /** Dead for sure. Nothing is done when somebody else holds the Lease by now. */
  holder: string;
}

/** As if the time of a Lease had passed whose holder is dead: whoever wants to lead may do so at once. */
export async function freeLease({ kubeconfig, namespace, holder }: HeldLease): Promise<void> {
  const client = new ApiClient({ access: await openAccess({ kubeconfig }) });
  try {
    const lease = await client.get(LEASES, { namespace, name: LEASE });
    if (holderOf(lease) !== holder) return;
    const { metadata, spec } = lease;
    await client.replace(LEASES, { metadata, spec: { ...spec, holderIdentity: '' } });
  } finally {
    await client.close();
  }
}
