import type { AddressInfo } from 'node:net';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { HealthModule } from '../../src/modules/health/index.js';
import {
  configureHttp,
  createHttpAdapter,
  type HttpEdgeOptions,
  setupOpenApi,
} from '../../src/modules/http/index.js';
import { createLogger, NestLogger } from '../../src/modules/logging/index.js';
import { type RawAnswer, sendRaw } from './raw-http.js';

export type { RawAnswer } from './raw-http.js';

export interface EdgeApp {
  app: NestFastifyApplication;
  port: number;
  /** The log so far, one object a line. */
  log: Record<string, unknown>[];
  /** Sends these bytes on a connection of their own and reads the answer. */
  send(request: string | Buffer): Promise<RawAnswer>;
  close(): Promise<void>;
}

@Module({})
class TestModule {
  static with(controllers: Type[]): DynamicModule {
    return { module: TestModule, imports: [HealthModule], controllers };
  }
}

/**
 * The HTTP edge with these controllers behind it and nothing else, on a free port of loopback.
 * @param options `before` is called with the server before it listens
 */
export async function startEdgeApp(
  controllers: Type[],
  { before, ...options }: Partial<HttpEdgeOptions> & { before?: (fastify: FastifyInstance) => void } = {},
): Promise<EdgeApp> {
  const log: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    TestModule.with(controllers),
    createHttpAdapter({ bodyLimitBytes: 4 * 1024 * 1024, logger, ...options }),
    { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) },
  );
  await configureHttp(app);
  setupOpenApi(app, { version: '0.0.0', extraSchemas: { Extra: { type: 'object' } } });
  before?.(app.getHttpAdapter().getInstance());
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, port, log, send: (request) => sendRaw(port, request), close: () => app.close() };
}
