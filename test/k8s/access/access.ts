import type { FastifyRequest } from 'fastify';
import { KubernetesAccess } from '../../../src/modes/k8s/access/index.js';
import type { TestCluster } from '../../support/control-plane/index.js';
import { clientAs } from '../client/api-client.js';

const AUDIENCE = 'symphony';

/** A token of a service account for our audience, or another one. */
export async function tokenOf(
  cluster: TestCluster,
  namespace: string,
  account: string,
  audience = AUDIENCE,
): Promise<string> {
  const { status } = await cluster.api.call<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [audience], expirationSeconds: 3600 },
    },
  );
  return status.token;
}

/** Access as the engine has it: a service account with nothing but the right to review. Cluster-wide, gone with the test. */
export async function accessOf(cluster: TestCluster, namespace: string): Promise<KubernetesAccess> {
  const engine = await cluster.serviceAccount(
    namespace,
    'engine',
    [],
    [
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
    ],
  );
  return new KubernetesAccess({
    client: clientAs(engine),
    audiences: [AUDIENCE],
    log: { warn: () => undefined },
  });
}

/** A request as the guard sees it. */
export function asked(
  token: string,
  operation: string,
  change: { params?: object; query?: object; headers?: object; body?: unknown } = {},
): FastifyRequest {
  const [method, url] = operation.split(' ');
  const { params = {}, query = {}, headers = {}, body } = change;
  return {
    method,
    routeOptions: { url },
    params,
    query,
    body,
    headers: { authorization: `Bearer ${token}`, ...headers },
    raw: { socket: { remoteAddress: '127.0.0.1' } },
  } as unknown as FastifyRequest;
}
