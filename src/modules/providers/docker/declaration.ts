import { posix } from 'node:path';
import { isPlainObject, joinPath, type ComponentSpec } from '@symphony/model';
import { textForm } from '@symphony/provider-kit';
import type { Allowances } from './config.js';
import type { Mount } from './engine/types.js';
import { parseImage } from './image-reference.js';
import { LABEL_PREFIX } from './labels.js';
import { parsePorts, type PortMap } from './ports.js';
import { parseResources, type Resources } from './resources.js';

type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

/** What a component says about its container. */
export interface Declaration {
  name: string;
  image: string;
  pull: PullPolicy;
  /** `NAME=value`, sorted. */
  env: string[];
  ports: PortMap;
  resources: Resources;
  commands: string[] | undefined;
  args: string[] | undefined;
  mounts: Required<Mount>[];
  /** The first is the one it starts in; none: the engine's default. */
  networks: string[];
  labels: Record<string, string>;
  restart: Restart;
  /** Seconds; undefined: the engine's default. */
  stopTimeout: number | undefined;
}

export interface Restart {
  Name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  MaximumRetryCount: number;
}

/** What is right for something that is to be there: also after the host was restarted without this engine. */
export const DEFAULT_RESTART = 'unless-stopped';
export const ENV_PREFIX = 'env.';

/** What Docker takes as the name of a container. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** @returns the declaration, or what is wrong with it, each with the path of the property */
export function readDeclaration(
  component: ComponentSpec,
  allow: Allowances,
): Declaration | { problems: string[] } {
  const problems: string[] = [];
  const read = <T>(key: string, parse: (value: unknown) => T, otherwise: T): T => {
    const value = propertyOf(component, key);
    if (value === undefined || value === null || value === '') return otherwise;
    try {
      return parse(value);
    } catch (error) {
      problems.push(`${joinPath('properties', key)}: ${error instanceof Error ? error.message : 'is wrong'}`);
      return otherwise;
    }
  };
  const declaration: Declaration = {
    name: read('container.name', (value) => textForm(value), component.name),
    image: read('container.image', imageText, ''),
    pull: read('container.imagePullPolicy', pullPolicy, 'IfNotPresent'),
    env: environment(component, problems),
    ports: read('container.ports', parsePorts, {}),
    resources: read('container.resources', (value) => parseResources(value, allow.devices), {}),
    commands: read<string[] | undefined>('container.commands', texts, undefined),
    args: read<string[] | undefined>('container.args', texts, undefined),
    mounts: read('container.volumes', (value) => parseMounts(value, allow), []),
    networks: read('container.networks', (value) => parseNetworks(value, allow), []),
    labels: read('container.labels', parseLabels, {}),
    restart: read('container.restartPolicy', parseRestart, parseRestart(DEFAULT_RESTART)),
    stopTimeout: read<number | undefined>('container.stopTimeoutSeconds', seconds, undefined),
  };
  if (!NAME.test(declaration.name)) {
    problems.push(
      `name: Docker does not take ${JSON.stringify(declaration.name)} as the name of a container (letters, digits, ` +
        "'_', '.', '-', at least two): set the property 'container.name'",
    );
  }
  return problems.length > 0 ? { problems } : declaration;
}

export function propertyOf(component: ComponentSpec, key: string): unknown {
  const { properties } = component;
  return properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** Numbers plain, objects as JSON, as Symphony does. */
export function envText(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : textForm(value);
}

/** A list of texts, also as JSON text. @throws Error */
export function texts(value: unknown): string[] {
  const list = fromJson(value);
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string' || typeof item === 'number')) {
    throw new Error('must be a list of texts, for example ["serve", "--port=80"]');
  }
  return list.map(String);
}

/** `name:/path`, `/host/path:/path:ro`, or the same as an object. @throws Error */
export function parseMounts(value: unknown, allow: Allowances): Required<Mount>[] {
  const list = fromJson(value);
  if (!Array.isArray(list)) throw new Error('must be a list such as ["data:/var/lib/data"]');
  return list.map((item) => readMount(item, allow)).sort((a, b) => (a.Target < b.Target ? -1 : 1));
}

/** A list of names, also as JSON text or separated by commas. @throws Error */
export function parseNetworks(value: unknown, allow: Pick<Allowances, 'hostNetwork'>): string[] {
  const list = typeof value === 'string' && !value.trim().startsWith('[') ? value.split(',') : texts(value);
  const names = list.map((name) => name.trim());
  for (const name of names) {
    if (!/^[a-zA-Z0-9][\w.-]*$/.test(name)) throw new Error('must be a list of names of networks');
    if (name === 'host' && !allow.hostNetwork) {
      throw new Error(
        "asks for the network of the host, which this target does not give: set 'allowHostNetwork' in the " +
          'configuration of its binding',
      );
    }
  }
  return names;
}

/** @throws Error */
export function parseLabels(value: unknown): Record<string, string> {
  const map = fromJson(value);
  if (!isPlainObject(map)) throw new Error('must be an object such as {"team": "blue"}');
  const reserved = Object.keys(map).find((key) => key === '' || key.startsWith(LABEL_PREFIX));
  if (reserved !== undefined) {
    throw new Error(`must not set ${JSON.stringify(reserved)}: labels that begin so are this engine's own`);
  }
  return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, envText(item)]));
}

/** @throws Error */
export function parseRestart(value: unknown): Restart {
  const [, name, retries] =
    /^(no|always|unless-stopped|on-failure)(?::(\d{1,4}))?$/.exec(textForm(value)) ?? [];
  if (name === undefined || (retries !== undefined && name !== 'on-failure')) {
    throw new Error('must be no, always, unless-stopped, on-failure or on-failure:<most restarts>');
  }
  return { Name: name as Restart['Name'], MaximumRetryCount: Number(retries ?? 0) };
}

function imageText(value: unknown): string {
  const text = textForm(value).trim();
  if (!parseImage(text)) throw new Error('is not the name of an image');
  return text;
}

function pullPolicy(value: unknown): PullPolicy {
  const known: PullPolicy[] = ['Always', 'IfNotPresent', 'Never'];
  const policy = known.find((name) => name.toLowerCase() === textForm(value).toLowerCase());
  if (!policy) throw new Error(`must be ${known.join(', ')}`);
  return policy;
}

function environment(component: ComponentSpec, problems: string[]): string[] {
  const env: string[] = [];
  for (const [key, value] of Object.entries(component.properties ?? {})) {
    if (!key.startsWith(ENV_PREFIX)) continue;
    const name = key.slice(ENV_PREFIX.length);
    if (name === '' || /[=\0]/.test(name) || envText(value).includes('\0')) {
      problems.push(`${joinPath('properties', key)}: is no environment variable`);
    }
    env.push(`${name}=${envText(value)}`);
  }
  return env.sort();
}

function readMount(item: unknown, allow: Allowances): Required<Mount> {
  const { source, target, readOnly } = mountParts(item);
  if (!posix.isAbsolute(target))
    throw new Error('needs an absolute path within the container for each volume');
  const mount = { Target: posix.normalize(target), ReadOnly: readOnly };
  if (!posix.isAbsolute(source)) {
    if (!NAME.test(source)) throw new Error(`has ${JSON.stringify(source)}, which is no name of a volume`);
    return { Type: 'volume', Source: source, ...mount };
  }
  const path = posix.normalize(source).replace(/(.)\/$/, '$1');
  const inside = (folder: string): boolean =>
    folder === '/' || path === folder || path.startsWith(`${folder}/`);
  if (!allow.hostPaths.some(inside)) {
    throw new Error(
      `mounts ${JSON.stringify(path)} of the host, which this target does not give: add it to 'allowedHostPaths' in ` +
        'the configuration of its binding, or use a named volume',
    );
  }
  return { Type: 'bind', Source: path, ...mount };
}

function mountParts(item: unknown): { source: string; target: string; readOnly: boolean } {
  if (typeof item === 'string') {
    const [source = '', target = '', mode = 'rw', ...more] = item.split(':');
    if (more.length === 0 && (mode === 'rw' || mode === 'ro'))
      return { source, target, readOnly: mode === 'ro' };
  } else if (isPlainObject(item)) {
    const { source, target, readOnly = false, ...more } = item;
    const sound = typeof source === 'string' && typeof target === 'string' && Object.keys(more).length === 0;
    if (sound && typeof readOnly === 'boolean') return { source, target, readOnly };
  }
  throw new Error('must list volumes as "name:/path", "name:/path:ro" or {"source", "target", "readOnly"}');
}

function seconds(value: unknown): number {
  const number = Number(textForm(value));
  if (!Number.isInteger(number) || number < 0) throw new Error('must be a whole number of seconds');
  return number;
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}
