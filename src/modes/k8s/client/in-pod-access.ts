import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '@symphony/model';
import {
  CREDENTIALS_FRESH_MS,
  ClusterConfigError,
  type ClusterAccess,
  type Credentials,
} from './cluster-access.js';
import { Fresh } from './fresh.js';

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The access that Kubernetes gives to every pod: an address in the environment, the certificate authority and a token that
 * the kubelet rotates as files. Done here rather than by the client library, which costs a second and 85 MB to load: in a
 * pod it is never loaded.
 */
export class InPodAccess implements ClusterAccess {
  readonly proxy = undefined;
  readonly #files: Fresh<Credentials>;

  private constructor(
    readonly server: URL,
    readonly namespace: string | undefined,
    directory: string,
    freshMs: number,
  ) {
    this.#files = new Fresh(() => readCredentials(directory), freshMs);
  }

  /**
   * @param directory of the service account's files
   * @throws ClusterConfigError when this is no pod, or its service account is not mounted
   */
  static async open(
    env: NodeJS.ProcessEnv = process.env,
    directory: string = SERVICE_ACCOUNT_DIR,
    freshMs: number = CREDENTIALS_FRESH_MS,
  ): Promise<InPodAccess> {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
    if (!host || !port) {
      throw new ClusterConfigError('This is not a pod: KUBERNETES_SERVICE_HOST and _PORT are not set.');
    }
    const namespace = await readFile(join(directory, 'namespace'), 'utf8').catch(() => undefined);
    const server = new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`);
    const access = new InPodAccess(server, namespace?.trim() || undefined, directory, freshMs);
    await access.credentials();
    return access;
  }

  credentials(): Promise<Credentials> {
    return this.#files.get();
  }

  refused(): void {
    this.#files.expire();
  }
}

async function readCredentials(directory: string): Promise<Credentials> {
  try {
    const [token, ca] = await Promise.all([
      readFile(join(directory, 'token'), 'utf8'),
      readFile(join(directory, 'ca.crt'), 'utf8'),
    ]);
    if (token.trim() === '') throw new Error('the token is empty');
    return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
  } catch (cause) {
    throw new ClusterConfigError(
      `The files of the service account cannot be read (${messageOf(cause)}): the pod needs automountServiceAccountToken.`,
      { cause },
    );
  }
}
