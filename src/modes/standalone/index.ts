import type { Logger } from 'pino';
import type { Mode } from '../../app.module.js';
import type { AppConfig } from '../../config/index.js';
import { StandaloneRuntime } from './runtime.js';
import { StandaloneModule } from './standalone.module.js';

/** Opens the database of standalone mode and wires its adapters. `close` is for a start that fails afterwards. */
export async function openStandalone(
  config: AppConfig,
  logger: Logger,
): Promise<{ mode: Mode; close: () => Promise<void> }> {
  const log = logger.child({ context: 'Database' });
  const runtime = await StandaloneRuntime.open(config, {
    debug: (message) => log.debug(message),
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
    error: (message) => log.error(message),
  });
  return {
    mode: { module: StandaloneModule.forRuntime(runtime), sole: runtime.exclusive },
    close: () => runtime.close(),
  };
}
