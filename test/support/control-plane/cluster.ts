import { randomBytes } from 'node:crypto';
import { KubernetesApi, KubernetesApiError } from './api.js';
import { AuditLog } from './audit-log.js';
import type { ClusterAccess, KubernetesConnection } from './connection.js';
import { Kubectl, type KubectlOptions, type KubectlResult } from './kubectl.js';

const TOKEN_SECONDS = 3 * 60 * 60;
const REMOVAL_MS = 60_000;

/** One rule of a Role or ClusterRole. */
export interface PolicyRule {
  apiGroups?: string[];
  resources?: string[];
  verbs: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

/** A cluster as a test uses it. `close` ends what it holds open; the cluster goes on. */
export class TestCluster {
  readonly admin: KubernetesConnection;
  readonly api: KubernetesApi;
  #kubectl: Kubectl | undefined;

  constructor(readonly access: ClusterAccess) {
    this.admin = access.admin;
    this.api = new KubernetesApi(access.admin);
  }

  /** Runs kubectl with all rights. @throws Error with its words when it fails */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string> {
    return this.#adminKubectl().run(args, options);
  }

  /** The same for what may fail. */
  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult> {
    return this.#adminKubectl().attempt(args, options);
  }

  /** kubectl as somebody else; the caller closes it. */
  kubectlAs(connection: KubernetesConnection): Kubectl {
    return new Kubectl(this.access.kubectl, connection);
  }

  /** A kubeconfig with all rights, for programs that read one. */
  get kubeconfigFile(): string {
    return this.#adminKubectl().kubeconfigFile;
  }

  /** A new namespace. @param label the beginning of its name */
  async createNamespace(label = 'test'): Promise<string> {
    const name = `${label}-${randomBytes(4).toString('hex')}`;
    await this.api.call('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
    return name;
  }

  /** Removes a namespace and waits until all in it is gone. @throws Error that names what holds it */
  async removeNamespace(name: string, timeoutMs = REMOVAL_MS): Promise<void> {
    const path = `/api/v1/namespaces/${name}`;
    try {
      await this.api.call('DELETE', path);
    } catch (error) {
      if (!(error instanceof KubernetesApiError && error.status === 404)) throw error;
    }
    await this.api.until(path, (namespace) => namespace === undefined, timeoutMs);
  }

  /**
   * A service account with these rights, and a token of it that outlasts the test run.
   * @param rules in its own namespace
   * @param clusterRules in all namespaces; bound to it alone, and gone with nothing: give them in throwaway clusters
   */
  async serviceAccount(
    namespace: string,
    name: string,
    rules: readonly PolicyRule[] = [],
    clusterRules: readonly PolicyRule[] = [],
  ): Promise<KubernetesConnection> {
    const core = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const subjects = [{ kind: 'ServiceAccount', namespace, name }];
    await this.api.call('POST', core, { metadata: { name } });
    if (rules.length > 0) {
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
      await this.api.call('POST', `${rbac}/namespaces/${namespace}/roles`, { metadata: { name }, rules });
      await this.api.call('POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
        metadata: { name },
        roleRef,
        subjects,
      });
    }
    if (clusterRules.length > 0) {
      const metadata = { name: `${namespace}-${name}` };
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name };
      await this.api.call('POST', `${rbac}/clusterroles`, { metadata, rules: clusterRules });
      await this.api.call('POST', `${rbac}/clusterrolebindings`, { metadata, roleRef, subjects });
    }
    const { status } = await this.api.call<{ status: { token: string } }>('POST', `${core}/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: TOKEN_SECONDS },
    });
    return { server: this.admin.server, ca: this.admin.ca, user: { token: status.token } };
  }

  /** Counts requests from now on. @throws Error for a cluster that is not ours: it does not show its log */
  async auditLog(): Promise<AuditLog> {
    if (this.access.auditLog === undefined) throw new Error('this cluster shows no audit log');
    const log = new AuditLog(this.access.auditLog, this.api);
    await log.forget();
    return log;
  }

  async close(): Promise<void> {
    this.#kubectl?.close();
    this.#kubectl = undefined;
    await this.api.close();
  }

  #adminKubectl(): Kubectl {
    this.#kubectl ??= new Kubectl(this.access.kubectl, this.admin);
    return this.#kubectl;
  }
}
