import { chartRights, type Readable } from './chart.js';
import type { TestCluster } from './control-plane/cluster.js';
import type { KubernetesObject } from './control-plane/index.js';

const ACCOUNT = 'symphony';
/** Longer than any test file takes. */
const TOKEN_SECONDS = 3 * 60 * 60;

/** The service account that the chart gives an engine, with exactly its rights. */
export interface ChartAccount {
  /** With a token of it. */
  kubeconfigFile: string;
  /** What it has asked for without the right to it up to now, each once: `create /api/v1/namespaces/x/pods`. */
  refused(): Promise<string[]>;
  /** Takes away what it has in the cluster as a whole. */
  close(): Promise<void>;
}

/**
 * Installs what the chart would for an engine of these namespaces. It goes with them, and with `close`.
 * @param home where the engine lives: its Lease, its Secret and the account
 * @param namespaces all when left out: the engine must then be told which it may touch
 * @param options see `chartRights`
 */
export async function chartAccount(
  cluster: TestCluster,
  home: string,
  namespaces?: readonly string[],
  options: { held?: boolean; readable?: Readable } = {},
): Promise<ChartAccount> {
  // A cluster that is not ours shows no log.
  const log = cluster.access.auditLog === undefined ? undefined : await cluster.auditLog();
  const rights = chartRights(home, namespaces, options);
  for (const object of rights) await cluster.api.call('POST', pathOf(object), object);
  const { status } = await cluster.api.call<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/${home}/serviceaccounts/${ACCOUNT}/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: TOKEN_SECONDS },
    },
  );
  const { server, ca } = cluster.admin;
  const kubectl = cluster.kubectlAs({ server, ca, user: { token: status.token } });
  return {
    kubeconfigFile: kubectl.kubeconfigFile,
    refused: async () => {
      const events = (await log?.events(`system:serviceaccount:${home}:${ACCOUNT}"`)) ?? [];
      // A 403 may also say that a namespace is going, or a quota is used up.
      const forbidden = events.filter(
        ({ annotations }) => annotations?.['authorization.k8s.io/decision'] === 'forbid',
      );
      return [...new Set(forbidden.map(({ verb, requestURI }) => `${verb} ${requestURI}`))];
    },
    close: async () => {
      kubectl.close();
      for (const object of rights.filter(({ metadata }) => metadata.namespace === undefined)) {
        await cluster.api.call('DELETE', `${pathOf(object)}/${object.metadata.name}`);
      }
    },
  };
}

function pathOf({ apiVersion = '', kind = '', metadata: { namespace } }: KubernetesObject): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = `${kind.toLowerCase()}s`;
  return namespace === undefined ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`;
}
