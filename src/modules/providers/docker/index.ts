import type { ProviderDefinition } from '@symphony/provider-kit';
import { readDockerConfig } from './config.js';
import { DockerProvider } from './docker.provider.js';

export interface DockerOptions {
  /** On by default: nothing is opened until a target names the provider. */
  enabled?: boolean;
  /** Where DOCKER_HOST and the like are looked up; the environment of the process by default. */
  env?: Readonly<Record<string, string | undefined>>;
}

/** An engine takes many calls at once; more would only queue up in it. */
const CONCURRENCY = 8;

/** `providers.target.docker`. */
export function dockerProvider(options: DockerOptions = {}): ProviderDefinition {
  return {
    type: 'providers.target.docker',
    concurrency: CONCURRENCY,
    watches: true,
    ...(options.enabled === false
      ? {
          disabled:
            "The Docker provider is off. Set 'providers.docker.enabled' in the configuration to true.",
        }
      : {}),
    create: (config) => new DockerProvider(readDockerConfig(config, options.env ?? process.env)),
  };
}
