import type { ProviderDefinition } from '@symphony/provider-kit';
import { readConcurrency, readFaults } from './faults.js';
import { MockProvider } from './mock.provider.js';

export { mockControl, type MockControl } from './control.js';

export interface MockOptions {
  /** On by default: it touches nothing but the memory of the process. */
  enabled?: boolean;
}

/** The memory does not care; high enough for tests of overlapping calls. */
const CONCURRENCY = 1_000;

/** `providers.target.mock`. */
export function mockProvider(options: MockOptions = {}): ProviderDefinition {
  return {
    type: 'providers.target.mock',
    concurrency: CONCURRENCY,
    concurrencyOf: readConcurrency,
    ...(options.enabled === false
      ? { disabled: "The mock provider is off. Set 'providers.mock.enabled' in the configuration to true." }
      : {}),
    create: (config) => {
      readConcurrency(config);
      // `false`: as a provider that leaves the order of a step's components to the engine.
      return new MockProvider(config['id'] ?? '', readFaults(config), config['keepsOrder'] !== 'false');
    },
  };
}
