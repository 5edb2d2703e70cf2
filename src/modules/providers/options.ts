import type { DockerOptions } from './docker/index.js';
import type { HttpOptions } from './http/index.js';
import type { MockOptions } from './mock/index.js';
import type { ScriptOptions } from './script/index.js';

/** The part of the engine's configuration below `providers`. */
export interface ProvidersOptions {
  script: ScriptOptions;
  mock?: MockOptions;
  docker?: DockerOptions;
  http?: HttpOptions;
}

export const PROVIDERS_OPTIONS = Symbol('ProvidersOptions');
