export { AppConfig, type UserConfig } from './app-config.js';
export { loadConfig, type LoadedConfig } from './load.js';
export { printConfig } from './print.js';
