import { canonicalJson, type ComponentSpec } from '@symphony/model';
import { ENV_PREFIX, propertyOf } from './declaration.js';
import type { ContainerInspect } from './engine/types.js';
import { LABEL_PREFIX } from './labels.js';
import { resourcesOf } from './resources.js';

/** A container in the shape of its declaration; what the image or the engine chose by itself is left out. */
export function readBack(
  container: ContainerInspect,
  declared: ComponentSpec,
): { name: string; properties: Record<string, unknown> } {
  const { Config: config = {}, HostConfig: host = {} } = container;
  const properties: Record<string, unknown> = {};
  const put = (key: string, value: unknown): void => {
    if (value !== undefined) properties[key] = value;
  };
  const putIfDeclared = (key: string, value: () => unknown): void => {
    if (propertyOf(declared, key) !== undefined) put(key, value());
  };
  put('container.image', config.Image);
  if (containerName(container) !== (propertyOf(declared, 'container.name') ?? declared.name)) {
    put('container.name', containerName(container));
  } else {
    putIfDeclared('container.name', () => containerName(container));
  }
  put('container.ports', jsonUnlessEmpty(host.PortBindings));
  put('container.resources', jsonUnlessEmpty(resourcesOf(host)));
  putIfDeclared('container.commands', () => JSON.stringify(config.Entrypoint ?? []));
  putIfDeclared('container.args', () => JSON.stringify(config.Cmd ?? []));
  put('container.volumes', volumes(container));
  putIfDeclared('container.networks', () => JSON.stringify(networks(container)));
  putIfDeclared('container.labels', () => labels(container, declared));
  put('container.restartPolicy', restart(container));
  putIfDeclared('container.stopTimeoutSeconds', () => config.StopTimeout ?? undefined);
  const env = new Map((config.Env ?? []).map((entry) => splitAt(entry, '=')));
  for (const key of Object.keys(declared.properties ?? {})) {
    if (key.startsWith(ENV_PREFIX)) put(key, env.get(key.slice(ENV_PREFIX.length)));
  }
  return { name: declared.name, properties };
}

export function containerName(container: ContainerInspect): string {
  return (container.Name ?? '').replace(/^\//, '');
}

function jsonUnlessEmpty(value: object | null | undefined): string | undefined {
  return value && Object.keys(value).length > 0 ? canonicalJson(value) : undefined;
}

function volumes({ HostConfig: host }: ContainerInspect): string | undefined {
  const mounts = host?.Mounts ?? [];
  if (mounts.length === 0) return undefined;
  return JSON.stringify(
    mounts.map(({ Source, Target, ReadOnly }) => ({
      source: Source,
      target: Target,
      readOnly: ReadOnly === true,
    })),
  );
}

function networks({ NetworkSettings: settings }: ContainerInspect): string[] {
  return Object.keys(settings?.Networks ?? {});
}

/** Labels of the image are not ours to compare. */
function labels({ Config: config }: ContainerInspect, declared: ComponentSpec): string {
  const wanted = propertyOf(declared, 'container.labels');
  const names = new Set(
    typeof wanted === 'object' && wanted !== null ? Object.keys(wanted) : namesIn(wanted),
  );
  const found = Object.entries(config?.Labels ?? {}).filter(
    ([key]) => names.has(key) && !key.startsWith(LABEL_PREFIX),
  );
  return canonicalJson(Object.fromEntries(found));
}

function namesIn(text: unknown): string[] {
  try {
    return Object.keys(JSON.parse(String(text)) as object);
  } catch {
    return [];
  }
}

function restart({ HostConfig: host }: ContainerInspect): string | undefined {
  const { Name = '', MaximumRetryCount = 0 } = host?.RestartPolicy ?? {};
  const name = Name === '' ? 'no' : Name;
  return MaximumRetryCount > 0 ? `${name}:${MaximumRetryCount}` : name;
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
