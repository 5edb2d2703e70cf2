/** The name of an image, taken apart. */
export interface ImageReference {
  /** As the engine wants it: registry and path, without tag and digest. */
  name: string;
  registry: string;
  tag: string | undefined;
  /** For example `sha256:…`. */
  digest: string | undefined;
}

const HUB = 'docker.io';
const HUB_ALIASES = new Set([HUB, 'index.docker.io', 'registry-1.docker.io']);

/** @returns undefined when the text cannot be the name of an image */
export function parseImage(text: string): ImageReference | undefined {
  const [named, digest] = split(text, text.indexOf('@'));
  const slash = named.lastIndexOf('/');
  const [name, tag] = split(named, named.indexOf(':', slash + 1));
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? rest.join('/') : name;
  if (!/^[a-z\d]+(?:(?:[._-]+|\/)[a-z\d]+)*$/i.test(path)) return undefined;
  if (hasRegistry && !/^(?:[a-z\d](?:[a-z\d.-]*[a-z\d])?|\[[a-f\d:]+\])(?::\d+)?$/i.test(first))
    return undefined;
  if (tag !== undefined && !/^[\w][\w.-]{0,127}$/.test(tag)) return undefined;
  if (digest !== undefined && !/^[a-z\d+._-]+:[a-f\d]{32,}$/i.test(digest)) return undefined;
  return { name, registry: hasRegistry ? registryOf(first) : HUB, tag, digest };
}

/** One spelling for all names that mean the same image: `redis`, `docker.io/library/redis:latest`, … */
export function normalisedImage(text: string): string {
  const image = parseImage(text.trim());
  if (!image) return text;
  const { name, registry, tag, digest } = image;
  const parts = name.split('/');
  const own = registryOf(parts[0] ?? '') === registry && parts.length > 1 ? parts.slice(1) : parts;
  const path = registry === HUB && own.length === 1 ? ['library', ...own] : own;
  const version = tag === undefined && digest === undefined ? ':latest' : tag === undefined ? '' : `:${tag}`;
  return `${registry}/${path.join('/').toLowerCase()}${version}${digest === undefined ? '' : `@${digest}`}`;
}

function registryOf(host: string): string {
  return HUB_ALIASES.has(host) ? HUB : host;
}

function split(text: string, at: number): [string, string | undefined] {
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
