import type { ProviderDefinition } from '@symphony/provider-kit';
import { readHttpConfig } from './config.js';
import { HttpProvider } from './http.provider.js';

export interface HttpOptions {
  /** Lets components reach link-local addresses and the metadata services of clouds; off by default. */
  allowLinkLocal?: boolean;
}

/** A server that is a gate for many sees few requests at once. */
const CONCURRENCY = 8;

/** `providers.target.http`. */
export function httpProvider(options: HttpOptions = {}): ProviderDefinition {
  return {
    type: 'providers.target.http',
    concurrency: CONCURRENCY,
    create: (config) => new HttpProvider(readHttpConfig(config), options.allowLinkLocal === true),
  };
}
