export * from './app-config.js';
export { ConfigError } from './errors.js';
export { loadConfig, type LoadedConfig, type LoadInput } from './load.js';
export { maskUrl, printConfig } from './print.js';
