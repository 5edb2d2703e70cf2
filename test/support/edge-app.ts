import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { HealthModule } from '../../src/modules/health/index.js';
import { configureHttp, createHttpAdapter, setupOpenApi } from '../../src/modules/http/index.js';
import { createLogger, NestLogger } from '../../src/modules/logging/index.js';

export interface EdgeApp {
  app: NestFastifyApplication;
  port: number;
  /** The log so far, one object a line. */
  log: Record<string, unknown>[];
  /** Sends these bytes on a connection of their own and reads the answer. */
  send(request: string | Buffer): Promise<RawAnswer>;
  close(): Promise<void>;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

const ANSWER_DEADLINE_MS = 30_000;

@Module({})
class TestModule {
  static with(controllers: Type[]): DynamicModule {
    return { module: TestModule, imports: [HealthModule], controllers };
  }
}

/** The HTTP edge with these controllers behind it and nothing else, on a free port of loopback. */
export async function startEdgeApp(
  controllers: Type[],
  options: { bodyLimitBytes?: number } = {},
): Promise<EdgeApp> {
  const log: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    TestModule.with(controllers),
    createHttpAdapter({ bodyLimitBytes: options.bodyLimitBytes ?? 4 * 1024 * 1024, logger }),
    { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) },
  );
  await configureHttp(app);
  setupOpenApi(app, { version: '0.0.0', extraSchemas: { Extra: { type: 'object' } } });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, port, log, send: (request) => sendRaw(port, request), close: () => app.close() };
}

/**
 * Sends raw bytes and reads one answer: up to its Content-Length, or to the end of the connection. The request should not
 * ask to keep the connection.
 */
function sendRaw(port: number, request: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.setTimeout(ANSWER_DEADLINE_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error) => {
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer) resolve(answer);
      else reject(error);
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer?.whole) socket.destroy();
      if (answer?.whole) resolve(answer);
    });
    socket.on('close', () => {
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer) resolve(answer);
      else
        reject(
          new Error(
            `the connection ended without an answer: ${Buffer.concat(chunks).toString().slice(0, 200)}`,
          ),
        );
    });
    socket.write(request);
  });
}

function parseAnswer(bytes: Buffer): (RawAnswer & { whole: boolean }) | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(first.split(' ')[1]);
  if (status === 100) return parseAnswer(bytes.subarray(end + 4));
  const headers: Record<string, string> = {};
  for (const line of lines)
    headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 1).trim();
  const body = bytes.subarray(end + 4);
  const length = headers['content-length'];
  const text = body.toString('utf8');
  return {
    status,
    headers,
    body: text,
    whole: length !== undefined && body.length >= Number(length),
    json: <T>() => JSON.parse(text) as T,
  };
}
