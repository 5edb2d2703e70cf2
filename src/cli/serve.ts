import { setTimeout as delay } from 'node:timers/promises';
import type { LoadedConfig } from '../config/index.js';
import { version } from '../config/version.js';
import { createApp } from '../app.js';
import { createLogger } from '../modules/logging/index.js';
import { guardProcess } from './process-guards.js';
import type { Terminal } from './terminal.js';
import { endOnSignals } from './shutdown.js';
import { explainStartError } from './start-errors.js';

const CLOSE_AFTER_FAILED_START_MS = 15_000;

/**
 * Starts the engine and returns once it listens; from then on it ends by a signal.
 * @returns undefined, or 1 or 2 after one sentence on stderr.
 */
export async function serve({ config, warnings }: LoadedConfig, io: Terminal): Promise<number | undefined> {
  const logger = createLogger({ level: config.logLevel });
  for (const warning of warnings) logger.warn(warning);

  let app: Awaited<ReturnType<typeof createApp>> | undefined;
  let stopped: (() => void) | undefined;
  const started = new Promise<void>((resolve) => (stopped = resolve));
  const shutdown = endOnSignals(
    async () => {
      // A signal during the start waits for it: what was half started could not be closed in order.
      await started;
      await app?.close();
    },
    config.queue.drainSeconds,
    logger,
  );
  guardProcess(logger, () => shutdown.begin('uncaught errors', 1));
  try {
    app = await createApp(config, logger);
    await app.listen(config.port, config.host);
    logger.info({ url: await app.getUrl(), mode: config.mode, version: version() }, 'Listening');
    return undefined;
  } catch (error) {
    const failure = explainStartError(error, config);
    if (failure.unforeseen) logger.error({ err: error }, 'The start failed');
    io.err(`${failure.sentence}\n`);
    await Promise.race([
      app?.close().catch(() => undefined),
      delay(CLOSE_AFTER_FAILED_START_MS, undefined, { ref: false }),
    ]);
    return failure.exitCode;
  } finally {
    stopped?.();
  }
}
