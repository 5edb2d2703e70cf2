import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProviderDefinition } from '@symphony/provider-kit';
import { FileProcessTracker, type ProcessTracker } from '../process/index.js';
import { readScriptConfig } from './config.js';
import { ALLOWED_FOLDERS_KEY } from './locate.js';
import { ScriptProvider } from './script.provider.js';

export interface ScriptOptions {
  /** Folders whose scripts may run; with none the provider is switched off. */
  allowedFolders: readonly string[];
  /** Private folder (0700) for what scripts exchange with the engine; must outlive the process for `killLeftovers`. */
  stagingRoot?: string;
  /** Names the store (database) that the engine serves, the same in all its replicas. Default: one for the staging root. */
  store?: string;
  /** By default, files in the staging root. */
  tracker?: ProcessTracker;
}

/** Per user, so that a restarted engine finds what its predecessor left. */
export function defaultStagingRoot(): string {
  return join(tmpdir(), `symphony-scripts-${process.getuid?.() ?? 'user'}`);
}

/** `providers.target.script`. */
export function scriptProvider(options: ScriptOptions): ProviderDefinition {
  const stagingRoot = options.stagingRoot ?? defaultStagingRoot();
  const tracker = options.tracker ?? new FileProcessTracker(stagingRoot);
  const { allowedFolders, store = '' } = options;
  return {
    type: 'providers.target.script',
    // Scripts seldom expect company.
    concurrency: 1,
    ...(allowedFolders.length === 0
      ? {
          disabled:
            `The script provider runs programs, so it is off until '${ALLOWED_FOLDERS_KEY}' in the configuration ` +
            'lists the folders whose scripts may run.',
        }
      : {}),
    create: (config) =>
      new ScriptProvider(readScriptConfig(config), { allowedFolders, stagingRoot, tracker, store }),
  };
}
