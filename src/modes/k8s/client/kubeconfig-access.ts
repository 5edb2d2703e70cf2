import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '@symphony/model';
import { parse } from 'yaml';
import {
  CREDENTIALS_FRESH_MS,
  ClusterConfigError,
  type ClusterAccess,
  type Credentials,
} from './cluster-access.js';
import { deadlineAfter, orAborted } from './deadline.js';
import { Fresh } from './fresh.js';

export interface KubeconfigOptions {
  /** Default: the files of `KUBECONFIG`, else `~/.kube/config`. */
  path?: string | undefined;
  /** Default: the current context of the file. */
  context?: string | undefined;
  env?: NodeJS.ProcessEnv;
  /** How long credentials are kept, in milliseconds. */
  freshMs?: number;
}

/** An `exec` plugin may ask a cloud for a token; one that hangs must not hang us. */
const PLUGIN_MS = 30_000;
/** After a refusal the whole configuration is read again, which may start a plugin: not more often than this. */
const RELOAD_GAP_MS = 1_000;

/**
 * The access of a kubeconfig: certificates, tokens, token files, `exec` and OIDC plugins. `@kubernetes/client-node` reads it
 * and runs the plugins, and nothing else: it is loaded when the first kubeconfig is. What it does not know is added:
 * `tokenFile`, and that credentials which were refused are to be got anew.
 */
export class KubeconfigAccess implements ClusterAccess {
  readonly #credentials: Fresh<Credentials>;
  #reloadedAt = performance.now();

  private constructor(
    readonly server: URL,
    readonly namespace: string | undefined,
    readonly proxy: string | undefined,
    private loaded: Loaded | undefined,
    private readonly options: KubeconfigOptions,
  ) {
    this.#credentials = new Fresh(() => this.#read(), options.freshMs ?? CREDENTIALS_FRESH_MS);
  }

  /** @throws ClusterConfigError when there is no usable configuration */
  static async open(options: KubeconfigOptions = {}): Promise<KubeconfigAccess> {
    const loaded = await load(options);
    const { config } = loaded;
    const cluster = config.getCurrentCluster();
    if (!cluster || !URL.canParse(cluster.server)) {
      throw new ClusterConfigError(
        'The context of the kubeconfig names no cluster with the URL of a server.',
      );
    }
    const server = new URL(cluster.server);
    if (cluster.proxyUrl?.startsWith('socks')) {
      throw new ClusterConfigError('A SOCKS proxy-url is not supported: use an HTTP proxy.');
    }
    if (server.protocol === 'http:' && !cluster.skipTLSVerify) {
      throw new ClusterConfigError(
        'The kubeconfig names a server without TLS: use https, or set insecure-skip-tls-verify if tokens may go over the network as plain text.',
      );
    }
    const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
    const access = new KubeconfigAccess(server, namespace, cluster.proxyUrl, loaded, options);
    await access.credentials();
    return access;
  }

  credentials(): Promise<Credentials> {
    return this.#credentials.get();
  }

  refused(): void {
    if (performance.now() - this.#reloadedAt < RELOAD_GAP_MS) return;
    this.#reloadedAt = performance.now();
    // The plugins keep what they got in the configuration's object, and cannot be told that it is worthless.
    this.loaded = undefined;
    this.#credentials.expire();
  }

  async #read(): Promise<Credentials> {
    const loaded = (this.loaded ??= await load(this.options));
    const options: RequestOptions = {};
    const deadline = deadlineAfter(
      PLUGIN_MS,
      undefined,
      () =>
        new ClusterConfigError(`The kubeconfig's plugin gave no credentials within ${PLUGIN_MS / 1000} s.`),
    );
    try {
      await orAborted(loaded.config.applyToHTTPSOptions(options), deadline.signal);
      return { headers: await headersOf(options, loaded.tokenFile), tls: tlsOf(options) };
    } catch (cause) {
      if (cause instanceof ClusterConfigError) throw cause;
      throw new ClusterConfigError(
        `The kubeconfig's credentials cannot be had: ${messageOf(cause)}. Try the same with kubectl.`,
        { cause },
      );
    } finally {
      deadline.end();
    }
  }
}

interface Loaded {
  config: KubeConfig;
  /** Of the user; the library does not know it. */
  tokenFile: string | undefined;
}

async function load({ path, context, env = process.env }: KubeconfigOptions): Promise<Loaded> {
  const files = filesOf(path, env);
  try {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    const [first = '', ...more] = files;
    config.loadFromFile(first);
    for (const file of more) {
      const next = new KubeConfig();
      next.loadFromFile(file);
      config.mergeConfig(next, true);
    }
    if (context !== undefined) config.setCurrentContext(context);
    return { config, tokenFile: await tokenFileOf(config.getCurrentUser()?.name, files) };
  } catch (cause) {
    throw new ClusterConfigError(
      `The kubeconfig ${files.join(', ')} cannot be used: ${messageOf(cause)}. Name another one, or correct it.`,
      { cause },
    );
  }
}

function filesOf(path: string | undefined, env: NodeJS.ProcessEnv): string[] {
  if (path !== undefined) return [path];
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  return named.length > 0 ? named : [join(env.HOME ?? homedir(), '.kube', 'config')];
}

interface KubeconfigFile {
  users?: { name?: string; user?: { tokenFile?: unknown } }[];
}

/** The first file that knows the user decides, as for everything else in merged configurations. */
async function tokenFileOf(user: string | undefined, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const { users = [] } = (parse(await readFile(file, 'utf8')) ?? {}) as KubeconfigFile;
    const entry = users.find(({ name }) => name === user);
    if (!entry) continue;
    const tokenFile = entry.user?.tokenFile;
    return typeof tokenFile === 'string' ? resolve(dirname(file), tokenFile) : undefined;
  }
  return undefined;
}

async function headersOf(
  options: RequestOptions,
  tokenFile: string | undefined,
): Promise<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value);
  }
  if (typeof options.auth === 'string') {
    headers.authorization ??= `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  if (tokenFile !== undefined) {
    headers.authorization = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
  }
  return headers;
}

function tlsOf(options: RequestOptions): Credentials['tls'] {
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options;
  const given = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
