import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import type { AppConfig } from './config/index.js';
import { version } from './config/version.js';
import { configureHttp, createHttpAdapter, setupOpenApi } from './modules/http/index.js';
import { createLogger, NestLogger } from './modules/logging/index.js';

/** The application, wired for the mode of the configuration, not yet listening. The caller closes it. */
export async function createApp(
  config: AppConfig,
  logger: Logger = createLogger({ level: config.logLevel }),
): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forMode(config.mode),
    createHttpAdapter({ bodyLimitBytes: config.http.bodyLimitBytes, logger }),
    // Our own parser reads bodies; a failed start is ours to explain, not a reason to abort.
    { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) },
  );
  await configureHttp(app);
  setupOpenApi(app, { version: version() });
  return app;
}
