import { messageOf } from '@symphony/model';
import type { AppConfig } from '../../../config/index.js';
import { ApiClient, openAccess } from '../client/index.js';
import { processIdentity } from '../leadership/index.js';
import { LEASE } from '../names.js';
import { releaseCluster, type Released } from './release.js';

interface Output {
  out(text: string): void;
  err(text: string): void;
}

/** Less than the chart's hook waits. */
const DEADLINE_MS = 4 * 60_000;

/**
 * `node dist/main --mode=k8s release`: lets go of everything in the cluster, so that the engine can be uninstalled.
 * @returns 0 after one sentence on stdout, 1 after one on stderr
 */
export async function runRelease(config: Pick<AppConfig, 'kubernetes'>, io: Output): Promise<number> {
  try {
    const { targets, instances, ledgers, posted, roles } = await release(config);
    io.out(
      `Took the engine's finalizers off ${targets} targets, ${instances} instances and ${ledgers} ledgers, ` +
        `and off ${posted} posted deployments and ${roles} Roles and RoleBindings. The objects, their ledgers and what is deployed stay.\n`,
    );
    return 0;
  } catch (error) {
    io.err(`The release failed: ${messageOf(error)}\n`);
    return 1;
  }
}

async function release({ kubernetes }: Pick<AppConfig, 'kubernetes'>): Promise<Released> {
  const { kubeconfig, context, namespaces, heldRoles, leaseNamespace } = kubernetes;
  const client = new ApiClient({ access: await openAccess({ kubeconfig, context }) });
  try {
    return await releaseCluster({
      client,
      home: leaseNamespace ?? client.namespace ?? 'default',
      leaseName: LEASE,
      identity: processIdentity(),
      namespaces: namespaces.length > 0 ? namespaces : undefined,
      heldRoles,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } finally {
    await client.close();
  }
}
