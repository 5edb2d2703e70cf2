import { posix } from 'node:path';
import { ProviderConfigError } from '@symphony/provider-kit';

/** Where an engine listens. */
export type Endpoint =
  | { kind: 'unix'; path: string }
  /** `certPath`: a folder with ca.pem, cert.pem and key.pem; with it the connection is TLS. */
  | { kind: 'tcp'; hostname: string; port: number; certPath?: string; verify: boolean };

/** What components may ask of the host. A target decides about that, not those who write solutions. */
export interface Allowances {
  /** Folders of the host that components may mount, normalised. */
  hostPaths: readonly string[];
  hostNetwork: boolean;
  devices: boolean;
}

export interface RegistryLogin {
  /** Host (and port) of the registry, as in the names of images; the login is sent to no other. */
  server: string;
  username: string;
  password: string;
}

/** The configuration of a binding. */
export interface DockerConfig {
  endpoint: Endpoint;
  /** As a person writes it, for messages. */
  host: string;
  login: RegistryLogin | undefined;
  allow: Allowances;
  /** How long a container is looked at after its start before it counts as applied. */
  startGraceMs: number;
}

const DEFAULT_HOST = 'unix:///var/run/docker.sock';
const MAX_GRACE_S = 30;

/**
 * Reads the keys of a binding; unknown ones are ignored. Without `host` the environment of Docker's own client counts
 * (DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH).
 * @throws ProviderConfigError naming the key
 */
export function readDockerConfig(
  config: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): DockerConfig {
  const value = (key: string): string => (Object.hasOwn(config, key) ? (config[key] ?? '').trim() : '');
  const own = value('host');
  const host = own || env['DOCKER_HOST']?.trim() || DEFAULT_HOST;
  // The TLS settings of the environment belong to the host of the environment.
  const outer = own === '' && value('certPath') === '' ? env : {};
  const certPath = value('certPath') || (outer['DOCKER_CERT_PATH'] ?? '');
  const verify =
    value('tlsVerify') === ''
      ? value('certPath') !== '' || (outer['DOCKER_TLS_VERIFY'] ?? '') !== ''
      : flag('tlsVerify', value('tlsVerify'));
  return {
    endpoint: readHost(host, certPath, verify),
    host,
    login: readLogin(value),
    allow: {
      hostPaths: value('allowedHostPaths')
        .split(',')
        .map((path) => path.trim())
        .filter((path) => path !== '')
        .map(hostPath),
      hostNetwork: flag('allowHostNetwork', value('allowHostNetwork')),
      devices: flag('allowDevices', value('allowDevices')),
    },
    startGraceMs: grace(value('startGraceSeconds')),
  };
}

function readHost(host: string, certPath: string, verify: boolean): Endpoint {
  if (host.startsWith('unix://')) {
    const path = host.slice('unix://'.length);
    if (path.startsWith('/') && !path.includes('\0')) return { kind: 'unix', path };
  } else if (host.startsWith('tcp://') && URL.canParse(host.replace('tcp:', 'http:'))) {
    const url = new URL(host.replace('tcp:', 'http:'));
    const plain = url.username === '' && url.search === '' && (url.pathname === '/' || url.pathname === '');
    const port = Number(/:(\d+)\/?$/.exec(host)?.[1] ?? (certPath === '' ? 2375 : 2376));
    if (plain && url.hostname !== '') {
      return { kind: 'tcp', hostname: url.hostname, port, verify, ...(certPath === '' ? {} : { certPath }) };
    }
  }
  throw new ProviderConfigError(
    "The configuration key 'host' must be unix:///path/of/the.sock or tcp://host:port. For an engine that is " +
      'reached by ssh, forward its socket and name the local end.',
  );
}

function readLogin(value: (key: string) => string): RegistryLogin | undefined {
  const username = value('registryUsername');
  if (username === '') return undefined;
  return { server: value('registryServer') || 'docker.io', username, password: value('registryPassword') };
}

function hostPath(path: string): string {
  if (posix.isAbsolute(path)) return posix.normalize(path).replace(/(.)\/$/, '$1');
  throw new ProviderConfigError(
    "The configuration key 'allowedHostPaths' must list absolute paths of the Docker host, separated by commas.",
  );
}

function flag(key: string, text: string): boolean {
  if (text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw new ProviderConfigError(`The configuration key '${key}' must be true or false.`);
}

function grace(text: string): number {
  const seconds = text === '' ? 1 : Number(text);
  if (seconds >= 0 && seconds <= MAX_GRACE_S) return seconds * 1_000;
  throw new ProviderConfigError(
    `The configuration key 'startGraceSeconds' must be a number from 0 to ${MAX_GRACE_S}.`,
  );
}
