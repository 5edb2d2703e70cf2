import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../app.js';
import { loadConfig } from '../../config/index.js';
import { createLogger } from '../logging/index.js';
import { EngineClient } from '../../../test/support/engine-client.js';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.js';
import { type Role, ROLES } from './access-policy.js';

const A: Role = 'administrator';
const R: Role = 'reader';
const S: Role = 'solution-creator';
const T: Role = 'target-manager';
const O: Role = 'operator';

/** Every operation of the API, and exactly who may; `public` takes no token. */
const CASES: Readonly<Record<string, readonly Role[] | 'public'>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': [A, R],
  'POST /v1alpha2/users/auth': 'public',
  'GET /v1alpha2/instances/{name}/plan': [A, R, O],
  'GET /v1alpha2/instances/{name}/runs': [A, R, O],
  'GET /v1alpha2/instances/{name}/runs/{id}': [A, R, O],
  'GET /v1alpha2/targets/registry/{name}/plan': [A, R, T],
  'GET /v1alpha2/targets/registry/{name}/runs': [A, R, T],
  'GET /v1alpha2/targets/registry/{name}/runs/{id}': [A, R, T],
  'POST /v1alpha2/solution/reconcile': [A, O],
  'POST /v1alpha2/solution/reconcile/{delete}': [A, O],
  'POST /v1alpha2/solution/instances': [A, O],
  'DELETE /v1alpha2/solution/instances': [A, O],
  'GET /v1alpha2/solution/instances': [A, O],
  'GET /v1alpha2/solution/queue': [A, R, O],
  'POST /v1alpha2/solution/queue': [A, O],
  'DELETE /v1alpha2/solution/queue': [A, O],
  'GET /v1alpha2/jobs': [A, R, O],
  'POST /v1alpha2/jobs': [A, O],
  'GET /v1alpha2/jobs/{kind}/{namespace}/{name}': [A, R, O],
  'POST /v1alpha2/jobs/{kind}/{namespace}/{name}/suspend': [A, O],
  'POST /v1alpha2/jobs/{kind}/{namespace}/{name}/resume': [A, O],
  'GET /v1alpha2/targets/registry': [A, R, T],
  'POST /v1alpha2/targets/registry': [A, T],
  'GET /v1alpha2/targets/registry/{name}': [A, R, T],
  'POST /v1alpha2/targets/registry/{name}': [A, T],
  'DELETE /v1alpha2/targets/registry/{name}': [A, T],
  'PUT /v1alpha2/targets/status/{name}': [A, T],
  'PUT /v1alpha2/targets/status/{name}/{component}': [A, T],
  'POST /v1alpha2/targets/ping/{name}': [A, T],
  'GET /v1alpha2/targets/download/{docType}/{name}': [A, R, T],
  'GET /v1alpha2/solutions': [A, R, S],
  'POST /v1alpha2/solutions': [A, S],
  'GET /v1alpha2/solutions/{name}': [A, R, S],
  'POST /v1alpha2/solutions/{name}': [A, S],
  'DELETE /v1alpha2/solutions/{name}': [A, S],
  'GET /v1alpha2/solutioncontainers': [A, R, S],
  'GET /v1alpha2/solutioncontainers/{name}': [A, R, S],
  'POST /v1alpha2/solutioncontainers/{name}': [A, S],
  'DELETE /v1alpha2/solutioncontainers/{name}': [A, S],
  'GET /v1alpha2/instances': [A, R, O],
  'POST /v1alpha2/instances': [A, O],
  'GET /v1alpha2/instances/{name}': [A, R, O],
  'POST /v1alpha2/instances/{name}': [A, O],
  'DELETE /v1alpha2/instances/{name}': [A, O],
  'GET /v1alpha2/greetings': 'public',
  'POST /v1alpha2/greetings': 'public',
};

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];

let database: TestDatabase;
let folder: string;
let app: Awaited<ReturnType<typeof createApp>>;
let url: string;
const clients = new Map<Role, EngineClient>();
let both: EngineClient;

beforeAll(async () => {
  database = await createTestDatabase('roles');
  folder = mkdtempSync(join(tmpdir(), 'symphony-roles-'));
  writeFileSync(join(folder, 'password'), 'p4ssw0rd');
  const users = [...ROLES.map((role) => [role]), [O, T]].map((roles) => ({
    name: `a-${roles.join('-and-')}`,
    roles,
    passwordFile: 'password',
  }));
  const file = join(folder, 'symphony.json');
  writeFileSync(file, JSON.stringify({ databaseUrl: database.url, auth: { users } }));
  app = await createApp(loadConfig({ file }).config, createLogger({ level: 'fatal' }));
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  for (const role of ROLES) {
    const client = new EngineClient(url);
    await client.login(`a-${role}`, 'p4ssw0rd');
    clients.set(role, client);
  }
  both = new EngineClient(url);
  await both.login(`a-${O}-and-${T}`, 'p4ssw0rd');
});
afterAll(async () => {
  await app.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** `GET /v1alpha2/instances/{name}` and the like: all that the description has. */
async function operations(): Promise<string[]> {
  const answer = await fetch(`${url}/openapi.json`);
  const document = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => METHODS.includes(method))
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** Asks with values that nothing has, so that a request that is let in changes nothing. @returns status and code */
async function ask(operation: string, client?: EngineClient): Promise<{ status: number; code?: string }> {
  const [method = '', template = ''] = operation.split(' ');
  const path = template.replaceAll(/\{[^}]+\}/g, 'none');
  const stop = new AbortController();
  const response = await fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]),
    ...(client ? { headers: client.authorization } : {}),
  });
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) {
    // An event stream would go on for ever.
    stop.abort();
    return { status: response.status };
  }
  const { code } = (await response.json()) as { code: string };
  return { status: response.status, code };
}

test('no operation of the API is without a case, and no case without an operation', async () => {
  const all = await operations();
  expect(all.length).toBeGreaterThan(25);
  expect(all.filter((operation) => !(operation in CASES))).toEqual([]);
  expect(Object.keys(CASES).filter((operation) => !all.includes(operation))).toEqual([]);
});

test.each(Object.entries(CASES))('%s', async (operation, who) => {
  const anonymous = await ask(operation);
  if (who === 'public') {
    expect(anonymous.code, 'without a token').not.toBe('TokenMissing');
    expect(anonymous.status).not.toBe(403);
    return;
  }
  expect(anonymous, 'without a token').toEqual({ status: 401, code: 'TokenMissing' });
  for (const role of ROLES) {
    const answer = await ask(operation, clients.get(role));
    if (who.includes(role)) expect([401, 403], `${role}: ${answer.status}`).not.toContain(answer.status);
    else expect(answer, role).toEqual({ status: 403, code: 'Forbidden' });
  }
});

/** An order to delete, and who may: those who may give orders, and may DELETE what it means. */
const DELETIONS: Readonly<Record<string, readonly Role[]>> = {
  'instance=none&delete=true': [A, O],
  'instance=none&delete=true&objectType=target': [A],
  'instance=none&delete=TRUE&target=true': [A],
  'name=none&delete=True&objectType=Target': [A],
  'instance=target-runtime-none&delete=true': [A],
  'instance=none&delete=false&objectType=target': [A, O],
};

test.each(Object.entries(DELETIONS))('POST /v1alpha2/solution/queue?%s', async (query, who) => {
  const operation = `POST /v1alpha2/solution/queue?${query}`;
  for (const role of ROLES) {
    const answer = await ask(operation, clients.get(role));
    const expected = who.includes(role)
      ? { status: 404, code: 'NotFound' }
      : { status: 403, code: 'Forbidden' };
    expect(answer, role).toEqual(expected);
  }
  expect(await ask(operation, both), 'operator and target manager').toEqual({
    status: 404,
    code: 'NotFound',
  });
});

test('a token that is no good is a 401, whatever was asked for', async () => {
  for (const operation of Object.keys(CASES).filter((key) => CASES[key] !== 'public')) {
    const [method = '', path = ''] = operation.split(' ');
    const headers = { authorization: 'Bearer forged' };
    const { status } = await fetch(`${url}${path.replaceAll(/\{[^}]+\}/g, 'none')}`, { method, headers });
    expect([operation, status]).toEqual([operation, 401]);
  }
});
