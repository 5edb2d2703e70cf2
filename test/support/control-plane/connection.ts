/** How one user reaches a cluster: what a kubeconfig says, as plain data that can go from process to process. */
export interface KubernetesConnection {
  /** `https://127.0.0.1:20000`. */
  server: string;
  /** Certificates in PEM that the server's own is checked against; those of the system when left out. */
  ca?: string;
  /** A bearer token, or a client certificate with its key in PEM. */
  user: { token?: string; certificate?: string; key?: string };
}

/** A cluster that tests may use as they like. */
export interface ClusterAccess {
  /** With all rights. */
  admin: KubernetesConnection;
  /** Path of the program. */
  kubectl: string;
  /** Path of the API server's audit log; undefined for a cluster that is not ours. */
  auditLog?: string;
}

/** The text of a kubeconfig (JSON, which is YAML) for one user. */
export function kubeconfig(connection: KubernetesConnection, namespace = 'default'): string {
  const { server, ca, user } = connection;
  const base64 = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: 'test',
        user: {
          token: user.token,
          'client-certificate-data': base64(user.certificate),
          'client-key-data': base64(user.key),
        },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  });
}

/** What the tests need of a kubeconfig whose references to files are resolved (`kubectl config view --flatten`). */
interface FlatKubeconfig {
  clusters?: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users?: {
    user: { token?: string; 'client-certificate-data'?: string; 'client-key-data'?: string };
  }[];
}

/**
 * The reverse of `kubeconfig`.
 * @param text JSON of `kubectl config view --raw --minify --flatten --output json`
 * @throws Error when its user logs in in a way that the tests cannot use
 */
export function connectionOf(text: string): KubernetesConnection {
  const config = JSON.parse(text) as FlatKubeconfig;
  const cluster = config.clusters?.[0]?.cluster;
  const user = config.users?.[0]?.user;
  if (!cluster || !user) throw new Error('the kubeconfig has no current context');
  const plain = (data: string | undefined): string | undefined =>
    data === undefined ? undefined : Buffer.from(data, 'base64').toString();
  const certificate = plain(user['client-certificate-data']);
  if (!user.token && !certificate) {
    throw new Error('the user of the kubeconfig has neither a token nor a client certificate');
  }
  return {
    server: cluster.server,
    ca: plain(cluster['certificate-authority-data']),
    user: { token: user.token, certificate, key: plain(user['client-key-data']) },
  };
}
