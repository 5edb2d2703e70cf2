import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule, authOptionsOf, type Mode } from './app.module.js';
import type { AppConfig } from './config/index.js';
import { version } from './config/version.js';
import { isLoopback } from './modules/auth/index.js';
import {
  configureHttp,
  createHttpAdapter,
  type HttpEdgeOptions,
  loadTls,
  setupOpenApi,
} from './modules/http/index.js';
import { createLogger, NestLogger } from './modules/logging/index.js';
import { stateSchemas } from './modules/state/index.js';

/** The application, wired for the mode of the configuration, not yet listening. The caller closes it. */
export async function createApp(
  config: AppConfig,
  logger: Logger = createLogger({ level: config.logLevel }),
): Promise<NestFastifyApplication> {
  const edge = edgeOptionsOf(config, logger);
  const { mode, close } = await openMode(config, logger);
  try {
    const app = await NestFactory.create<NestFastifyApplication>(
      AppModule.forMode(mode, config),
      createHttpAdapter(edge),
      // Our own parser reads bodies; a failed start is ours to explain, not a reason to abort.
      {
        bodyParser: false,
        abortOnError: false,
        logger: new NestLogger(logger),
        // Only for the address that the log shows.
        ...(edge.tls ? { httpsOptions: {} } : {}),
      },
    );
    await configureHttp(app);
    mode.install?.(app.getHttpAdapter().getInstance());
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
  if (config.mode === 'k8s') {
    const { openK8s } = await import('./modes/k8s/index.js');
    return openK8s(config, logger);
  }
  // Before anything is opened: a configuration that may not serve must not start a database either.
  authOptionsOf(config);
  const { openStandalone } = await import('./modes/standalone/index.js');
  return openStandalone(config, logger);
}

/** @throws ConfigError when TLS is asked for and its files cannot be used */
function edgeOptionsOf({ host, http }: AppConfig, logger: Logger): HttpEdgeOptions {
  const { bodyLimitBytes, corsOrigins, tlsCert, tlsKey } = http;
  const tls = tlsCert !== undefined && tlsKey !== undefined ? loadTls(tlsCert, tlsKey) : undefined;
  const loopback = isLoopback(host);
  if (tls && tls.validTo.getTime() < Date.now()) {
    logger.warn(`The TLS certificate ended on ${tls.validTo.toISOString()}: clients will refuse it.`);
  }
  if (!tls && !loopback) {
    logger.warn(
      'Passwords and tokens go over the network as plain text: set --tls-cert and --tls-key, or let only a proxy that speaks TLS connect.',
    );
  }
  return {
    bodyLimitBytes,
    corsOrigins,
    logger,
    ...(loopback ? { allowedHosts: [host, ...http.allowedHosts] } : {}),
    ...(tls ? { tls } : {}),
  };
}
