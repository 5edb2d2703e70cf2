import { expect, it } from 'vitest';
import type { RequestRecord } from '../../../src/modes/k8s/client/index.js';
import { refuseBesideSymphony } from '../../../src/modes/k8s/leadership/index.js';
import { LEASES } from '../../../src/modes/k8s/leadership/lease.js';
import { describeControlPlane, freshNamespace } from '../../support/control-plane/index.js';
import { clientAs } from '../client/api-client.js';

const NAME = '33405cb8.symphony';

// Symphony is looked for in all namespaces, so these tests need a cluster that they share with nobody.
describeControlPlane('beside the controller of Symphony', (plane) => {
  async function symphony(
    holderIdentity: string,
    leaseDurationSeconds = 2,
  ): Promise<{ namespace: string; renewing: () => () => void }> {
    const namespace = await freshNamespace(plane().cluster);
    const client = clientAs(plane().cluster.admin);
    await client.create(LEASES, {
      metadata: { namespace, name: NAME },
      spec: { holderIdentity, leaseDurationSeconds },
    });
    return {
      namespace,
      renewing: () => {
        let count = 0;
        const timer = setInterval(() => {
          const body = {
            spec: { renewTime: `2026-01-01T00:00:00.${String((count += 1)).padStart(6, '0')}Z` },
          };
          void client
            .patch(LEASES, { namespace, name: NAME }, { kind: 'merge', body })
            .catch(() => undefined);
        }, 300);
        return () => clearInterval(timer);
      },
    };
  }

  /** How often it is looked for in these namespaces: whoever waits looks again. */
  async function looks(namespaces: readonly string[]): Promise<number> {
    let count = 0;
    const onRequest = ({ verb, resource }: RequestRecord): void => {
      if (verb === 'list' && resource === 'leases') count += 1;
    };
    await refuseBesideSymphony(clientAs(plane().cluster.admin, { onRequest }), namespaces);
    return count;
  }

  it('there is none: nothing is waited for', async () => {
    expect(await looks(['default'])).toBe(1);
  });

  it('it was stopped in good order: its Lease is empty', async () => {
    const { namespace } = await symphony('');
    expect(await looks([namespace])).toBe(1);
  });

  it('it runs, in whatever namespace: refused, by name', async () => {
    const { namespace, renewing } = await symphony('symphony-controller-manager-7d_x', 30);
    const end = renewing();
    const client = clientAs(plane().cluster.admin);
    await expect(refuseBesideSymphony(client, ['default'])).rejects.toMatchObject({
      code: 'OtherEngineLeads',
      message: expect.stringMatching(new RegExp(`symphony-controller-manager-7d_x.*${namespace}`)) as string,
    });
    end();
    // With a right in one namespace only, and only on this Lease, it is found there, and nothing is tried elsewhere.
    const rule = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'list'] };
    const rules = [{ ...rule, resourceNames: [NAME] }];
    const statuses: (number | undefined)[] = [];
    const limited = clientAs(await plane().cluster.serviceAccount(namespace, 'limited', rules), {
      onRequest: ({ status }) => statuses.push(status),
    });
    const endAgain = renewing();
    await expect(refuseBesideSymphony(limited, ['default', namespace])).rejects.toMatchObject({
      code: 'OtherEngineLeads',
    });
    await refuseBesideSymphony(limited, ['default']);
    expect(statuses).not.toContain(403);
    endAgain();
    await client.delete(LEASES, { namespace, name: NAME });
  });

  it('it was killed: its Lease is left behind, and no hindrance after its time', async () => {
    const { namespace } = await symphony('gone', 2);
    const client = clientAs(plane().cluster.admin);
    const began = performance.now();
    await refuseBesideSymphony(client, [namespace]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(2_000);
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 200);
    await expect(refuseBesideSymphony(client, [namespace], stop.signal)).rejects.toThrow('enough');
  });
});
