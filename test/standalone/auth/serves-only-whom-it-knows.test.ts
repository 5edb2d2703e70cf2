import { Controller, Delete, Get, Module, Param, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AuthModule,
  type ConfiguredUser,
  principalOf,
  requireRole,
  type Role,
  ROLES,
  SigningKeyStore,
} from '../../../src/modules/auth/index.js';
import { hashPassword } from '../../../src/modules/auth/passwords.js';
import { configureHttp, createHttpAdapter, PublicRoute } from '../../../src/modules/http/index.js';
import { createLogger } from '../../../src/modules/logging/index.js';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresSigningKeyStore } from '../../../src/modes/standalone/stores/auth/signing-key-store.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

/** Routes with the shapes of the real ones; what they answer tells who was let in. */
@Controller('v1alpha2')
class Routes {
  @PublicRoute()
  @Get('greetings')
  greetings(): string {
    return 'hello';
  }

  @Get('targets/registry/:name')
  target(@Param('name') name: string, @Req() request: FastifyRequest): object {
    return { name, by: principalOf(request).name };
  }

  @Post('targets/registry/:name')
  writeTarget(): void {}

  @Delete('instances/:name')
  removeInstance(@Req() request: FastifyRequest): void {
    requireRole(request, 'administrator', 'orphan=true');
  }

  @Get('targetsfoo')
  lookalike(): void {}
}

let database: TestDatabase;
let app: NestFastifyApplication;
let replica: NestFastifyApplication;
const closers: (() => Promise<unknown>)[] = [];

async function start(adminPassword: string, users: ConfiguredUser[]): Promise<NestFastifyApplication> {
  const dataSource = createDataSource({ url: database.url, poolSize: 4, applicationName: 'auth test' });
  await dataSource.initialize();
  closers.push(() => dataSource.destroy());
  const store = new PostgresSigningKeyStore(new Database(dataSource));

  @Module({ providers: [{ provide: SigningKeyStore, useValue: store }], exports: [SigningKeyStore] })
  class Stores {}

  @Module({
    imports: [AuthModule.register({ adminPassword, users, loopback: false }, [Stores])],
    controllers: [Routes],
  })
  class App {}

  const adapter = createHttpAdapter({ bodyLimitBytes: 65_536, logger: createLogger({ level: 'fatal' }) });
  const started = await NestFactory.create<NestFastifyApplication>(App, adapter, {
    bodyParser: false,
    logger: false,
  });
  closers.push(() => started.close());
  await configureHttp(started);
  await started.init();
  return started;
}

beforeAll(async () => {
  database = await createTestDatabase('auth');
  const dataSource = createDataSource({ url: database.url, poolSize: 2, applicationName: 'migrate' });
  await dataSource.initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  const passwordHash = await hashPassword('pw');
  const users = ROLES.map((role): ConfiguredUser => ({ name: `a-${role}`, passwordHash, roles: [role] }));
  [app, replica] = await Promise.all([start('secret', users), start('secret', users)]);
});

afterAll(async () => {
  for (const close of closers.toReversed()) await close();
  await database?.drop();
});

type Reply = Awaited<ReturnType<NestFastifyApplication['inject']>>;

function call(
  method: 'GET' | 'POST' | 'DELETE' | 'HEAD' | 'OPTIONS',
  url: string,
  token?: string,
): Promise<Reply> {
  return app.inject({
    method,
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
}

function logIn(body: unknown, on = app, remoteAddress = '127.0.0.1'): Promise<Reply> {
  return on.inject({
    method: 'POST',
    url: '/v1alpha2/users/auth',
    remoteAddress,
    headers: { 'content-type': 'application/json' },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function tokenOf(username: string, password: string, on = app): Promise<string> {
  const reply = await logIn({ username, password }, on);
  expect(reply.statusCode).toBe(200);
  return reply.json<{ accessToken: string }>().accessToken;
}

describe('logging in', () => {
  test('answers in the form that clients of Symphony read', async () => {
    const reply = await logIn({ username: 'admin', password: 'secret', csrfToken: 'ignored' });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.json()).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as string,
      tokenType: 'Bearer',
      username: 'admin',
      roles: ['administrator'],
    });
  });

  test.each([
    { username: 'admin', password: 'Secret' },
    { username: 'admin', password: '' },
    { username: 'admin' },
    { username: 'developer', password: '' },
    { username: 'constructor', password: 'x' },
    { username: '__proto__', password: 'x' },
  ])('%o is a 401', async (body) => {
    const reply = await logIn(body, app, '10.0.0.1');
    expect(reply.statusCode).toBe(401);
    expect(reply.headers['www-authenticate']).toBe('Bearer');
    expect(reply.json()).toMatchObject({ code: 'LoginFailed', status: 401 });
    expect(reply.body).not.toContain('ecret');
  });

  test.each([
    '',
    'null',
    '[]',
    '"admin"',
    '{"username":1}',
    '{"username":""}',
    '{',
    '{"username":"admin","passwort":"x"}',
    '{"username":"admin","password":{}}',
    JSON.stringify({ username: 'a'.repeat(5000) }),
  ])('%s is a 400', async (body) => {
    const reply = await logIn(body, app, '10.0.0.2');
    expect(reply.statusCode).toBe(400);
    expect(reply.headers['content-type']).toContain('application/problem+json');
  });

  test('guessing is answered with 429 and when to come back', async () => {
    const guesses = Array.from({ length: 15 }, (_, index) =>
      logIn({ username: 'a-reader', password: `${index}` }, app, '10.0.0.3'),
    );
    const statuses = (await Promise.all(guesses)).map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    const refused = await logIn({ username: 'a-reader', password: 'pw' }, app, '10.0.0.3');
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await logIn({ username: 'a-reader', password: 'pw' }, app, '10.0.0.4')).statusCode).toBe(200);
  });
});

describe('without a token', () => {
  test('greetings and OPTIONS answer, nothing else does', async () => {
    expect((await call('GET', '/v1alpha2/greetings')).body).toBe('hello');
    expect((await call('OPTIONS', '/v1alpha2/targets/registry/a')).statusCode).toBe(200);
    for (const method of ['GET', 'HEAD', 'POST'] as const) {
      const reply = await call(method, '/v1alpha2/targets/registry/a');
      expect(reply.statusCode).toBe(401);
      expect(reply.headers['www-authenticate']).toBe('Bearer');
    }
  });

  test.each([
    '/v1alpha2//targets/registry/a',
    '/v1alpha2/targets/registry/a/',
    '/v1alpha2/%74argets/registry/a',
    '/v1alpha2/targets/registry/..%2f..%2fgreetings',
    '/v1alpha2/targets/registry/greetings?x=/v1alpha2/greetings',
    '/v1alpha2/greetings/../targets/registry/a',
    '/v1alpha2/greetings/%2e%2e/targets/registry/a',
    '/v1alpha2/greetings;/targets/registry/a',
    '/v1alpha2/users/auth/../../targets/registry/a',
    '/V1ALPHA2/targets/registry/a',
    '//v1alpha2/targets/registry/a#/v1alpha2/greetings',
  ])('%s does not get to the handler', async (url) => {
    const reply = await call('GET', url);
    expect([400, 401, 404, 405]).toContain(reply.statusCode);
    expect(reply.body).not.toContain('"by"');
  });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Basic YWRtaW46',
    'Bearer a b',
    'Bearer x',
    `Bearer ${'x'.repeat(9000)}`,
  ])('the header "%.20s" is a 401', async (authorization) => {
    const reply = await app.inject({
      method: 'GET',
      url: '/v1alpha2/targets/registry/a',
      headers: { authorization },
    });
    expect(reply.statusCode).toBe(401);
  });
});

describe('with a token', () => {
  test('the handler learns who it is', async () => {
    const reply = await call('GET', '/v1alpha2/targets/registry/a%2Fb', await tokenOf('admin', 'secret'));
    expect(reply.json()).toEqual({ name: 'a/b', by: 'admin' });
  });

  test.each<[Role, number, number, number]>([
    ['administrator', 200, 201, 200],
    ['reader', 200, 403, 403],
    ['solution-creator', 403, 403, 403],
    ['target-manager', 200, 201, 403],
    ['operator', 403, 403, 403],
  ])('%s: read a target %i, write it %i, forget an instance %i', async (role, read, write, forget) => {
    const token = await tokenOf(`a-${role}`, 'pw');
    expect((await call('GET', '/v1alpha2/targets/registry/a', token)).statusCode).toBe(read);
    expect((await call('HEAD', '/v1alpha2/targets/registry/a', token)).statusCode).toBe(read);
    expect((await call('POST', '/v1alpha2/targets/registry/a', token)).statusCode).toBe(write);
    expect((await call('DELETE', '/v1alpha2/instances/a', token)).statusCode).toBe(forget);
  });

  test('a path that only begins like an allowed one is refused, and the refusal says which roles would do', async () => {
    const reply = await call('GET', '/v1alpha2/targetsfoo', await tokenOf('a-target-manager', 'pw'));
    expect(reply.statusCode).toBe(403);
    expect(reply.headers['www-authenticate']).toBeUndefined();
    expect(reply.json<{ detail: string }>().detail).toContain('administrator or reader may');
  });

  test('it is good on every replica, and after a restart, until its password changes', async () => {
    const token = await tokenOf('admin', 'secret', replica);
    expect((await call('GET', '/v1alpha2/targets/registry/a', token)).statusCode).toBe(200);
    const request = {
      method: 'GET' as const,
      url: '/v1alpha2/targets/registry/a',
      headers: { authorization: `Bearer ${token}` },
    };
    expect((await (await start('secret', [])).inject(request)).statusCode).toBe(200);
    expect((await (await start('changed', [])).inject(request)).statusCode).toBe(401);
  });
});
