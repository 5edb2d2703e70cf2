import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule, authOptionsOf, type Mode } from './app.module.js';
import type { AppConfig } from './config/index.js';
import { version } from './config/version.js';
import { configureHttp, createHttpAdapter, setupOpenApi } from './modules/http/index.js';
import { createLogger, NestLogger } from './modules/logging/index.js';
import { stateSchemas } from './modules/state/index.js';

/** The application, wired for the mode of the configuration, not yet listening. The caller closes it. */
export async function createApp(
  config: AppConfig,
  logger: Logger = createLogger({ level: config.logLevel }),
): Promise<NestFastifyApplication> {
  // Before anything is opened: a configuration that may not serve must not start a database either.
  authOptionsOf(config);
  const { mode, close } = await openMode(config, logger);
  try {
    const app = await NestFactory.create<NestFastifyApplication>(
      AppModule.forMode(mode, config),
      createHttpAdapter({ bodyLimitBytes: config.http.bodyLimitBytes, logger }),
      // Our own parser reads bodies; a failed start is ours to explain, not a reason to abort.
      { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) },
    );
    await configureHttp(app);
    setupOpenApi(app, { version: version(), extraSchemas: stateSchemas() });
    return app;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Loaded only here, so that a mode never pays for the libraries of the other. */
async function openMode(
  config: AppConfig,
  logger: Logger,
): Promise<{ mode: Mode; close: () => Promise<void> }> {
  const { openStandalone } = await import('./modes/standalone/index.js');
  return openStandalone(config, logger);
}
