import { ProviderConfigError } from '@symphony/provider-kit';
import { parseStatuses, parseUrl, type HttpConfig } from './request.js';

/** Symphony's `k8s/http` sample writes these three without their prefix. */
const SHORT: Readonly<Record<string, string>> = { url: 'http.url', method: 'http.method', body: 'http.body' };

/**
 * Keeps the keys that begin with `http.`, and Symphony's short ones; others are ignored.
 * @throws ProviderConfigError naming the key
 */
export function readHttpConfig(config: Readonly<Record<string, string>>): HttpConfig {
  const defaults = new Map<string, string>();
  for (const [key, value] of Object.entries(config)) {
    const name = Object.hasOwn(SHORT, key) ? (SHORT[key] ?? key) : key;
    if (!name.startsWith('http.') || value.trim() === '') continue;
    if (!defaults.has(name) || name === key) defaults.set(name, value);
  }
  for (const [key, value] of defaults) {
    try {
      if (key === 'http.url' || key.endsWith('.url')) parseUrl(value);
      if (key === 'http.expect' || key.endsWith('.expect')) parseStatuses(value);
    } catch (error) {
      throw new ProviderConfigError(
        `The configuration key '${key}' ${error instanceof Error ? error.message : 'is wrong'}.`,
      );
    }
  }
  return Object.fromEntries(defaults);
}
