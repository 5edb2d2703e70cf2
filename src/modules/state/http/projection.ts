import { canonicalJson } from '@symphony/model';
import { parseDocument, stringify } from 'yaml';
import { evaluatePath } from './json-path.js';

/** Symphony's short name for the first component's embedded document. */
const ALIASES: Readonly<Record<string, string>> = {
  first_embedded: '$.spec.components[0].properties.embedded',
};
const MAX_EMBEDDED_YAML = 1024 * 1024;

export interface Projection {
  /** JSONPath; undefined: the whole object. */
  path?: string;
  /** `yaml`; anything else is JSON. */
  docType?: string;
}

/** A finished answer. */
export interface Document {
  contentType: string;
  text: string;
}

/** One object, or what the path selects of it; `null` where it selects nothing. */
export function projectOne(object: unknown, { path, docType }: Projection): Document {
  const value = select(object, path);
  if (docType !== 'yaml') return json(value);
  return yaml(path ? documentOf(value) : toYaml(value));
}

/** A list, or a list of what the path selects of each element; as YAML the latter is one document each. */
export function projectMany(objects: readonly unknown[], { path, docType }: Projection): Document {
  const values = objects.map((object) => select(object, path));
  if (docType !== 'yaml') return json(values);
  return yaml(path ? values.map(documentOf).join('---\n') : toYaml(values));
}

function select(object: unknown, path: string | undefined): unknown {
  if (!path) return object;
  const full = Object.hasOwn(ALIASES, path) ? (ALIASES[path] ?? path) : path;
  return evaluatePath(object, full) ?? null;
}

function json(value: unknown): Document {
  return { contentType: 'application/json; charset=utf-8', text: JSON.stringify(value) };
}

function yaml(text: string): Document {
  return { contentType: 'text/plain; charset=utf-8', text };
}

/** A text that holds YAML is shown as that document, any other as it is. */
function documentOf(value: unknown): string {
  if (typeof value !== 'string') return toYaml(value);
  const text = value.trim();
  if (text.length > MAX_EMBEDDED_YAML) return `${text}\n`;
  try {
    const document = parseDocument(text, { uniqueKeys: false });
    if (document.errors.length > 0) return `${text}\n`;
    // What aliases repeat stays an alias: written out, a short text could become a very long one.
    return stringify(document.toJS({ maxAliasCount: 100 }), { ...YAML_OPTIONS, aliasDuplicateObjects: true });
  } catch {
    return `${text}\n`;
  }
}

/** Keys in order; quoted where YAML 1.1, which Go programs read, would see something else than a text. */
const YAML_OPTIONS = { compat: 'yaml-1.1', lineWidth: 0 } as const;

function toYaml(value: unknown): string {
  const sorted: unknown = JSON.parse(canonicalJson(value));
  return stringify(sorted, { ...YAML_OPTIONS, aliasDuplicateObjects: false });
}
