import { onTestFinished } from 'vitest';
import { ApiClient, fixedAccess, type ApiClientOptions } from '../../../src/modes/k8s/client/index.js';
import type { KubernetesConnection } from '../../support/control-plane/connection.js';
import { FaultyProxy } from './faulty-proxy.js';

/** A client of the running test's own, as this user. */
export function clientAs(
  { server, ca, user }: KubernetesConnection,
  options: Partial<ApiClientOptions> = {},
): ApiClient {
  const headers = { authorization: `Bearer ${user.token}` };
  const client = new ApiClient({ access: fixedAccess(server, { headers, tls: { ca } }), ...options });
  onTestFinished(() => client.close());
  return client;
}

/** A proxy of the running test's own in front of a cluster, and a client behind it. */
export async function behindFaults(
  target: KubernetesConnection,
  options: Partial<ApiClientOptions> = {},
): Promise<{ proxy: FaultyProxy; client: ApiClient }> {
  const proxy = await FaultyProxy.start(target);
  const client = new ApiClient({ access: fixedAccess(proxy.url), ...options });
  onTestFinished(async () => {
    await client.close();
    await proxy.stop();
  });
  return { proxy, client };
}
