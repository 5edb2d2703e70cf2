import { isAbsolute, resolve } from 'node:path';
import { ProviderConfigError } from '@symphony/provider-kit';

export type Operation = 'get' | 'apply' | 'remove';

/** The configuration of a binding, checked as far as that needs no look at the disk. */
export interface ScriptConfig {
  /** File names (or paths within the folder), by operation. */
  scripts: Readonly<Record<Operation, string>>;
  /** Absolute. */
  folder: string;
  /** Absolute; undefined: a private folder per run. */
  staging: string | undefined;
  /** `direct`: the file itself is executed. */
  engine: 'direct' | 'powershell';
}

const KEYS: Readonly<Record<Operation, string>> = {
  get: 'getScript',
  apply: 'applyScript',
  remove: 'removeScript',
};

/**
 * Reads Symphony's keys; others are ignored.
 * @throws ProviderConfigError naming the key.
 */
export function readScriptConfig(config: Readonly<Record<string, string>>): ScriptConfig {
  const value = (key: string): string => (Object.hasOwn(config, key) ? (config[key] ?? '').trim() : '');
  const scripts = { get: '', apply: '', remove: '' };
  for (const operation of ['apply', 'remove', 'get'] as const) {
    const key = KEYS[operation];
    const name = value(key);
    if (name === '')
      throw new ProviderConfigError(`The configuration key '${key}' is missing: name a script.`);
    if (name.includes('\0'))
      throw new ProviderConfigError(`The configuration key '${key}' is not a file name.`);
    if (isAbsolute(name)) {
      throw new ProviderConfigError(
        `The configuration key '${key}' must be a file name within scriptFolder.`,
      );
    }
    scripts[operation] = name;
  }
  const staging = value('stagingFolder');
  return {
    scripts,
    folder: folderOf('scriptFolder', value('scriptFolder')),
    staging: staging === '' ? undefined : folderOf('stagingFolder', staging),
    engine: engineOf(value('scriptEngine')),
  };
}

function folderOf(key: string, text: string): string {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) {
    throw new ProviderConfigError(
      `The configuration key '${key}' is a URL. Scripts are not fetched from the network: copy them to a folder ` +
        'on this machine and name that.',
    );
  }
  if (text.includes('\0')) throw new ProviderConfigError(`The configuration key '${key}' is not a folder.`);
  return resolve(text);
}

function engineOf(text: string): ScriptConfig['engine'] {
  switch (text.toLowerCase()) {
    case '':
    case 'bash':
      return 'direct';
    case 'powershell':
    case 'pwsh':
      return 'powershell';
    default:
      throw new ProviderConfigError(
        "The configuration key 'scriptEngine' must be 'bash' or 'powershell'; other engines are not known.",
      );
  }
}
