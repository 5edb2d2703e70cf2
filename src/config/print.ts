import { AppConfig } from './app-config.js';
import { CONFIG_KEYS, type ConfigKey } from './keys.js';
import type { LoadedConfig } from './load.js';

const MASK = '***';

/**
 * The effective configuration as YAML, each value with where it comes from, secrets masked. What is printed can be used
 * as a configuration file once the masked values are filled in.
 */
export function printConfig({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): string {
  const lines: string[] = [];
  let open: string[] = [];
  for (const row of CONFIG_KEYS) {
    const steps = row.key.split('.');
    const parents = steps.slice(0, -1);
    const shared = parents.findIndex((step, index) => open[index] !== step);
    for (let depth = shared === -1 ? parents.length : shared; depth < parents.length; depth += 1) {
      lines.push(`${'  '.repeat(depth)}${parents[depth]}:`);
    }
    open = parents;
    const source = sources.get(row.key);
    const origin = source && source.rank > 0 ? source.name : 'the default';
    lines.push(
      `${'  '.repeat(parents.length)}${steps.at(-1)}: ${shown(row, valueAt(config, row.key))} # ${origin}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The value at a key's path. */
function valueAt(config: AppConfig, path: string): unknown {
  let value: unknown = config;
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
  return value;
}

function shown(row: ConfigKey, value: unknown): string {
  if (value === undefined) return 'null';
  if (Array.isArray(value) && value.length === 0) return '[]';
  if (row.secret === 'all') return `"${MASK}"`;
  if (row.secret === 'url') return JSON.stringify(typeof value === 'string' ? maskUrl(value) : MASK);
  if (row.type === 'duration') return durationText(Number(value));
  return JSON.stringify(value);
}

/** The URL without its password; all of it is masked when it cannot be told where the password is. */
export function maskUrl(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password) parsed.password = MASK;
    for (const name of new Set(parsed.searchParams.keys())) {
      if (/password|secret|key/i.test(name)) parsed.searchParams.set(name, MASK);
    }
    return parsed.href;
  } catch {
    return MASK;
  }
}

/** Milliseconds as a Go duration: the largest unit that divides them. */
function durationText(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  if (milliseconds % 3_600_000 === 0) return `${milliseconds / 3_600_000}h`;
  if (milliseconds % 60_000 === 0) return `${milliseconds / 60_000}m`;
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}
