import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RequestAccess, type Principal } from '../../../modules/auth/index.js';
import { refuseLoginsOnPlainHttp, UsersOverTls } from './users-over-tls.js';

const ANN: Principal = { name: 'ann', roles: ['reader'] };
const asked: string[] = [];

class Users extends RequestAccess {
  override identify(): Promise<Principal> {
    return this.#answer('identify');
  }

  override admit(): Promise<Principal> {
    return this.#answer('admit');
  }

  #answer(what: string): Promise<Principal> {
    asked.push(what);
    return Promise.resolve(ANN);
  }
}

let app: FastifyInstance;
beforeAll(async () => {
  app = fastify();
  refuseLoginsOnPlainHttp(app);
  const access = new UsersOverTls(new Users());
  app.post('/v1alpha2/users/auth', () => {
    asked.push('login');
    return { accessToken: 'x' };
  });
  app.get('/identify', (request) => access.identify(request));
  app.get('/admit', (request) => access.admit(request));
  app.get('/healthz', () => ({ alive: true }));
  await app.ready();
});
afterAll(() => app.close());

const ask = async (method: 'GET' | 'POST', url: string, remoteAddress: string) => {
  asked.length = 0;
  const answer = await app.inject({
    method,
    url,
    remoteAddress,
    payload: method === 'POST' ? {} : undefined,
  });
  return { status: answer.statusCode, code: answer.json<{ code?: string }>().code, asked: [...asked] };
};

test.each([
  ['POST', '/v1alpha2/users/auth', 'login'],
  ['GET', '/identify', 'identify'],
  ['GET', '/admit', 'admit'],
] as const)('%s %s: from this machine only', async (method, url, what) => {
  expect(await ask(method, url, '10.0.0.7')).toEqual({ status: 403, code: 'TlsRequired', asked: [] });
  expect(await ask(method, url, '127.0.0.1')).toMatchObject({ status: 200, asked: [what] });
});

test('what needs no secret needs no TLS', async () => {
  expect(await ask('GET', '/healthz', '10.0.0.7')).toMatchObject({ status: 200 });
});
