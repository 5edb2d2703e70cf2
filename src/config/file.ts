import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { ConfigError, nearest } from './errors.js';
import { CONFIG_KEYS } from './keys.js';

const LARGEST_FILE_BYTES = 1024 * 1024;

/**
 * Reads a configuration file, YAML or JSON.
 * @returns the values by the path of their key; keys that are null or absent are left out.
 * @throws ConfigError that names the file and the key that is wrong.
 */
export function readConfigFile(path: string): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const root = parse(path);
  if (root === null || root === undefined) return found;
  collect(root, '', path, found);
  return found;
}

function parse(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`The configuration file ${path} cannot be read: ${reasonOf(error)}.`);
  }
  if (text.length > LARGEST_FILE_BYTES) {
    throw new ConfigError(`The configuration file ${path} is larger than 1 MiB.`);
  }
  const document = parseDocument(text, { stringKeys: true, prettyErrors: true });
  const [first] = document.errors;
  if (first) {
    const [sentence] = first.message.split('\n');
    throw new ConfigError(`The configuration file ${path} is neither YAML nor JSON: ${sentence}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw new ConfigError(`The configuration file ${path} cannot be used: ${(error as Error).message}`);
  }
}

function collect(node: unknown, prefix: string, path: string, found: Map<string, unknown>): void {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) {
    const where = prefix ? `"${prefix}" in ${path}` : `The configuration file ${path}`;
    throw new ConfigError(
      `${where} must hold keys and values${prefix ? `, such as ${example(prefix)}` : ''}.`,
    );
  }
  for (const [name, value] of Object.entries(node)) {
    const key = prefix ? `${prefix}.${name}` : name;
    if (CONFIG_KEYS.some((row) => row.key === key)) {
      if (value !== null && value !== undefined) found.set(key, value);
    } else if (CONFIG_KEYS.some((row) => row.key.startsWith(`${key}.`))) {
      if (value !== null) collect(value, key, path, found);
    } else {
      throw new ConfigError(`The configuration file ${path} has the unknown key "${key}"${hint(key)}`);
    }
  }
}

function hint(key: string): string {
  const meant = nearest(
    key,
    CONFIG_KEYS.map((row) => row.key),
  );
  return meant ? `; did you mean "${meant}"?` : ': --help lists the keys.';
}

function example(prefix: string): string {
  return CONFIG_KEYS.find((row) => row.key.startsWith(`${prefix}.`))?.key ?? prefix;
}

/** What the system said about a file, without the path that the sentence already names. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'this user may not read it',
    EISDIR: 'it is a folder',
  };
  return (code && known[code]) || (code ?? 'it failed');
}
