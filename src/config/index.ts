export { AppConfig } from './app-config.js';
export { loadConfig, type LoadedConfig } from './load.js';
export { printConfig } from './print.js';
