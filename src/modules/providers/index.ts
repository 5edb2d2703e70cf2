export { mockControl, type MockControl } from './mock/index.js';
export type { ProvidersOptions } from './options.js';
export { ProvidersModule, ScriptLeftovers } from './providers.module.js';
export { ProviderRegistry } from './registry.js';
