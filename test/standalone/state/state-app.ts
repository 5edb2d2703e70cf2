import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { configureHttp, createHttpAdapter } from '../../../src/modules/http/index.js';
import { ObjectStore, StateModule } from '../../../src/modules/state/index.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresObjectStore } from '../../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { createTestDatabase } from '../../support/postgres.js';

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  /** The body as JSON; a problem for errors. */
  json: () => Record<string, unknown>;
}

interface RequestOptions {
  body?: unknown;
  headers?: Record<string, string>;
}

/** The state module alone, on a database of its own and the real HTTP edge; the access guard is somebody else's. */
export interface StateApp {
  app: NestFastifyApplication;
  database: Database;
  /** @param path below `/v1alpha2/`; a body that is no text is sent as JSON */
  call: (method: string, path: string, options?: RequestOptions) => Promise<Answer>;
  close(): Promise<void>;
}

/** @param label of the database */
export async function startStateApp(label: string, poolSize = 10): Promise<StateApp> {
  const testDatabase = await createTestDatabase(label);
  const source = createDataSource({ url: testDatabase.url, poolSize, applicationName: label });
  await source.initialize();
  await migrate(source);
  const database = new Database(source);
  const store = new PostgresObjectStore(database, { wake: () => undefined });

  class StoreModule {}
  Module({ providers: [{ provide: ObjectStore, useValue: store }], exports: [ObjectStore] })(StoreModule);

  const adapter = createHttpAdapter({ bodyLimitBytes: 4 << 20, logger: pino({ level: 'silent' }) });
  const app = await NestFactory.create<NestFastifyApplication>(StateModule.forStore([StoreModule]), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  await configureHttp(app);
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  // Instead of a token: who asks is in a header, `name:role`.
  fastify.addHook('onRequest', async (request) => {
    const [name = 'admin', role = 'administrator'] = String(request.headers['x-user'] ?? '').split(':');
    if (name !== '') request.user = { name, roles: [role as 'administrator'] };
  });
  await app.init();
  await fastify.ready();

  return {
    app,
    database,
    async call(method, path, { body, headers = {} } = {}) {
      const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const answer = await app.inject({
        method: method as 'GET',
        url: `/v1alpha2/${path}`,
        headers: { 'x-user': 'admin:administrator', ...headers },
        ...(payload === undefined ? {} : { payload }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        json: () => answer.json<Record<string, unknown>>(),
      };
    },
    async close() {
      await app.close();
      await source.destroy();
      await testDatabase.drop();
    },
  };
}

/** The orders of a lane: its generation and whether it is a removal. */
export async function laneOf(
  { database }: StateApp,
  kind: string,
  name: string,
): Promise<{ generation: number; deleting: boolean; actor: string | null } | undefined> {
  const [lane] = await database.query<{ generation: string; deleting: boolean; actor: string | null }>(
    'SELECT generation, deleting, actor FROM lanes WHERE kind = $1 AND name = $2',
    [kind, name],
  );
  return lane && { ...lane, generation: Number(lane.generation) };
}

export async function fanOutsOf({ database }: StateApp): Promise<string[]> {
  const rows = await database.query<{ what: string }>(
    `SELECT kind || '/' || name AS what FROM fan_outs ORDER BY id`,
  );
  return rows.map((row) => row.what);
}

export const solutionBody = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { components: [{ name: 'web', type: 'container', properties: { image: 'web:1' } }], ...spec },
});
export const targetBody = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.mock' }] }], ...spec },
});
export const instanceBody = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { solution: 'app-v-1', target: { name: 'edge' }, ...spec },
});
