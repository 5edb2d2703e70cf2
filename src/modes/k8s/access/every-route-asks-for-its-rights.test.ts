import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../../app.js';
import { loadConfig } from '../../../config/index.js';
import { createLogger } from '../../../modules/logging/index.js';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { describeNeed } from './needs.js';
import { leaderWayOf, ROUTE_RULES, ruleOf } from './routes.js';

interface Request {
  params?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: unknown;
}

const NAMED: Request = { params: { name: 'web' }, query: { namespace: 'shop' } };
const DEPLOYMENT = {
  solutionName: 's',
  solution: { spec: { components: [] } },
  instance: { metadata: { name: 'posted' }, spec: {} },
  targets: {},
};
const POSTED: Request = { query: { namespace: 'shop' }, body: DEPLOYMENT };
const IN_SHOP = 'in namespace "shop"';
const INLINE = [
  `update instances.solution.symphony "posted" ${IN_SHOP}`,
  `create instances.solution.symphony ${IN_SHOP}`,
  `create solutions.solution.symphony ${IN_SHOP}`,
  `create targets.fabric.symphony ${IN_SHOP}`,
];
const upsert = (what: string) => [`create ${what} ${IN_SHOP}`, `update ${what} "web" ${IN_SHOP}`];
const TARGET = 'targets.fabric.symphony';
const SOLUTION = 'solutions.solution.symphony';
const CONTAINER = 'solutioncontainers.solution.symphony';
const INSTANCE = 'instances.solution.symphony';
const BODY: Request = { body: { metadata: { name: 'web', namespace: 'shop' } } };

/** Every operation of the API that takes a token, a request to it, what it asks for, and whether only the leader can answer. */
const CASES: Readonly<Record<string, [request: Request, needs: readonly string[], leader?: 'leader']>> = {
  'GET /metrics': [{}, ['get /metrics']],
  'GET /v1alpha2/targets/registry': [{ query: { namespace: 'shop' } }, [`list ${TARGET} ${IN_SHOP}`]],
  'POST /v1alpha2/targets/registry': [BODY, upsert(TARGET)],
  'GET /v1alpha2/targets/registry/{name}': [NAMED, [`get ${TARGET} "web" ${IN_SHOP}`]],
  'POST /v1alpha2/targets/registry/{name}': [NAMED, upsert(TARGET)],
  'DELETE /v1alpha2/targets/registry/{name}': [NAMED, [`delete ${TARGET} "web" ${IN_SHOP}`]],
  'PUT /v1alpha2/targets/status/{name}': [NAMED, [`update targets/status.fabric.symphony "web" ${IN_SHOP}`]],
  'PUT /v1alpha2/targets/status/{name}/{component}': [
    NAMED,
    [`update targets/status.fabric.symphony "web" ${IN_SHOP}`],
    'leader',
  ],
  'POST /v1alpha2/targets/ping/{name}': [NAMED, [`update targets/status.fabric.symphony "web" ${IN_SHOP}`]],
  'GET /v1alpha2/targets/download/{docType}/{name}': [NAMED, [`get ${TARGET} "web" ${IN_SHOP}`]],
  'GET /v1alpha2/targets/registry/{name}/plan': [NAMED, [`get ${TARGET} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/targets/registry/{name}/runs': [NAMED, [`get ${TARGET} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/targets/registry/{name}/runs/{id}': [NAMED, [`get ${TARGET} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/solutions': [{}, [`list ${SOLUTION} in all namespaces`]],
  'POST /v1alpha2/solutions': [BODY, upsert(SOLUTION)],
  'GET /v1alpha2/solutions/{name}': [NAMED, [`get ${SOLUTION} "web" ${IN_SHOP}`]],
  'POST /v1alpha2/solutions/{name}': [NAMED, upsert(SOLUTION)],
  'DELETE /v1alpha2/solutions/{name}': [NAMED, [`delete ${SOLUTION} "web" ${IN_SHOP}`]],
  'GET /v1alpha2/solutioncontainers': [{ query: { namespace: '' } }, [`list ${CONTAINER} in all namespaces`]],
  'GET /v1alpha2/solutioncontainers/{name}': [NAMED, [`get ${CONTAINER} "web" ${IN_SHOP}`]],
  'POST /v1alpha2/solutioncontainers/{name}': [NAMED, upsert(CONTAINER)],
  'DELETE /v1alpha2/solutioncontainers/{name}': [NAMED, [`delete ${CONTAINER} "web" ${IN_SHOP}`]],
  'GET /v1alpha2/instances': [{}, [`list ${INSTANCE} in all namespaces`]],
  'POST /v1alpha2/instances': [BODY, upsert(INSTANCE)],
  'GET /v1alpha2/instances/{name}': [
    { params: { name: 'web' } },
    [`get ${INSTANCE} "web" in namespace "default"`],
  ],
  'POST /v1alpha2/instances/{name}': [NAMED, upsert(INSTANCE)],
  'DELETE /v1alpha2/instances/{name}': [NAMED, [`delete ${INSTANCE} "web" ${IN_SHOP}`]],
  'GET /v1alpha2/instances/{name}/plan': [NAMED, [`get ${INSTANCE} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/instances/{name}/runs': [NAMED, [`get ${INSTANCE} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/instances/{name}/runs/{id}': [NAMED, [`get ${INSTANCE} "web" ${IN_SHOP}`], 'leader'],
  'GET /v1alpha2/solution/queue': [
    { query: { instance: 'web', namespace: 'shop' } },
    [`get ${INSTANCE} "web" ${IN_SHOP}`],
    'leader',
  ],
  'POST /v1alpha2/solution/queue': [
    { query: { instance: 'web', namespace: 'shop', objectType: 'target' } },
    [`update ${TARGET} "web" ${IN_SHOP}`],
    'leader',
  ],
  'DELETE /v1alpha2/solution/queue': [
    { query: { instance: 'web' } },
    [`update ${INSTANCE} "web" in namespace "default"`],
    'leader',
  ],
  'POST /v1alpha2/solution/reconcile': [POSTED, INLINE],
  'POST /v1alpha2/solution/reconcile/{delete}': [POSTED, INLINE],
  'POST /v1alpha2/solution/instances': [POSTED, INLINE],
  'DELETE /v1alpha2/solution/instances': [POSTED, INLINE],
  'GET /v1alpha2/solution/instances': [POSTED, INLINE, 'leader'],
  'GET /v1alpha2/jobs': [
    {},
    [`list ${INSTANCE} in all namespaces`, `list ${TARGET} in all namespaces`],
    'leader',
  ],
  'GET /v1alpha2/jobs/{kind}/{namespace}/{name}': [
    { params: { kind: 'Target', namespace: 'shop', name: 'web' } },
    [`get ${TARGET} "web" ${IN_SHOP}`],
    'leader',
  ],
  'POST /v1alpha2/jobs/{kind}/{namespace}/{name}/suspend': [
    { params: { kind: 'Target', namespace: 'shop', name: 'web' } },
    [`update ${TARGET} "web" ${IN_SHOP}`],
    'leader',
  ],
  'POST /v1alpha2/jobs/{kind}/{namespace}/{name}/resume': [
    { params: { kind: 'Target', namespace: 'shop', name: 'web' } },
    [`update ${TARGET} "web" ${IN_SHOP}`],
    'leader',
  ],
  'POST /v1alpha2/jobs': [{}, [`update ${INSTANCE} in namespace "default"`], 'leader'],
};

/** `GET /a/{name}` as the router writes it. */
function templateOf(operation: string): [method: string, template: string] {
  const [method = '', path = ''] = operation.split(' ');
  return [method, path.replaceAll(/\{([^}]+)\}/g, ':$1')];
}

function needsOf(operation: string, { params = {}, query = {}, headers = {}, body }: Request): string[] {
  const rule = ruleOf(...templateOf(operation));
  return (rule?.needs({ params, query, headers, body }) ?? []).map(describeNeed);
}

describe('against the routes of the engine', () => {
  let database: TestDatabase;
  let app: Awaited<ReturnType<typeof createApp>>;
  beforeAll(async () => {
    database = await createTestDatabase('rights');
    const file = { flags: new Map([['databaseUrl', database.url]]) };
    app = await createApp(loadConfig(file).config, createLogger({ level: 'fatal' }));
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  test('no operation that takes a token is without a rule, and no rule without an operation', async () => {
    const answer = await fetch(`${await app.getUrl()}/openapi.json`);
    const { paths } = (await answer.json()) as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, { security }]) => security?.length !== 0)
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.length).toBeGreaterThan(25);
    const rules = operations.map((operation) => templateOf(operation).join(' '));
    expect(Object.keys(ROUTE_RULES).sort()).toEqual(rules.sort());
    expect(Object.keys(CASES).sort()).toEqual(operations.sort());
  });
});

test.each(Object.entries(CASES))('%s', (operation, [request, needs, leader]) => {
  expect(needsOf(operation, request)).toEqual(needs);
  expect(leaderWayOf(...templateOf(operation)) !== undefined).toBe(leader === 'leader');
});

test('HEAD asks for what GET asks for; what is not in the table has no rule', () => {
  expect(ruleOf('HEAD', '/v1alpha2/instances')).toBe(ruleOf('GET', '/v1alpha2/instances'));
  for (const [method, template] of [
    ['PATCH', '/v1alpha2/instances/:name'],
    ['GET', '/v1alpha2/unheard-of'],
    ['GET', undefined],
    ['', 'toString'],
  ] as const) {
    expect(ruleOf(method, template)).toBeUndefined();
  }
});

describe('a write asks for the rights to what it writes', () => {
  const put = 'POST /v1alpha2/instances/{name}';
  const create = `create ${INSTANCE}`;

  test.each<[string, Request, string[]]>([
    [
      'the body has the namespace',
      { params: { name: 'web' }, body: { metadata: { namespace: 'shop' } } },
      upsert(INSTANCE),
    ],
    [
      'body and query contradict each other: both, although it is refused',
      { ...NAMED, body: { metadata: { namespace: 'prod' } } },
      [...upsert(INSTANCE), `${create} in namespace "prod"`, `update ${INSTANCE} "web" in namespace "prod"`],
    ],
    [
      'the query describes the instance: the body is not looked at',
      {
        params: { name: 'web' },
        query: { solution: 's', target: 't' },
        body: { metadata: { namespace: 'shop', name: 'other' } },
      },
      [`${create} in namespace "default"`, `update ${INSTANCE} "web" in namespace "default"`],
    ],
    ['it may only create', { ...NAMED, headers: { 'if-none-match': '*' } }, [`${create} ${IN_SHOP}`]],
    [
      'it may only replace',
      { ...NAMED, headers: { 'if-match': '"1"' } },
      [`update ${INSTANCE} "web" ${IN_SHOP}`],
    ],
    ['a dry run', { ...NAMED, query: { namespace: 'shop', dryRun: 'true' } }, upsert(INSTANCE)],
  ])('%s', (_what, request, needs) => {
    expect(needsOf(put, request)).toEqual(needs);
  });

  test('a namespace that is no text is refused rather than guessed', () => {
    for (const namespace of [7, {}, ['shop'], true]) {
      expect(() => needsOf(put, { params: { name: 'web' }, body: { metadata: { namespace } } })).toThrow(
        /metadata.namespace must be a text/,
      );
    }
  });

  test('preconditions that exclude each other leave both rights asked for', () => {
    const headers = { 'if-match': '*', 'if-none-match': '*' };
    expect(needsOf(put, { ...NAMED, headers })).toEqual(upsert(INSTANCE));
  });
});

test('orphaning is a change of the object, however it is spelled', () => {
  const both = [`delete ${INSTANCE} "web" ${IN_SHOP}`, `update ${INSTANCE} "web" ${IN_SHOP}`];
  for (const orphan of ['true', 'TRUE', 'yes'])
    expect(
      needsOf('DELETE /v1alpha2/instances/{name}', { ...NAMED, query: { namespace: 'shop', orphan } }),
    ).toEqual(both);
});

describe('an order asks for the right to every object that it may mean', () => {
  const guid = '123e4567-e89b-12d3-a456-426614174000';
  test.each<[string, Request, string[]]>([
    ['POST', { query: { instance: 'a', delete: 'true' } }, [`delete ${INSTANCE} "a"`]],
    ['POST', { query: { instance: 'a', target: 'true' } }, [`update ${TARGET} "a"`]],
    ['POST', { query: { instance: 'a', target: 'true', delete: 'TRUE' } }, [`delete ${TARGET} "a"`]],
    [
      'POST',
      { query: { instance: 'target-runtime-t', delete: 'true' } },
      [`delete ${TARGET} "t"`, `delete ${INSTANCE} "target-runtime-t"`],
    ],
    [
      'POST',
      { query: { instance: `a-${guid}` } },
      [`update ${INSTANCE} "a-${guid}"`, `update ${INSTANCE} "a"`],
    ],
    [
      'GET',
      { query: { instance: 'target-runtime-t', name: 'b' } },
      [`get ${TARGET} "t"`, `get ${INSTANCE} "target-runtime-t"`, `get ${INSTANCE} "b"`],
    ],
    ['POST', { query: { objectType: 'deployment' }, body: DEPLOYMENT }, INLINE],
    [
      'POST',
      {
        query: { objectType: 'Deployment', namespace: 'dev' },
        body: { ...DEPLOYMENT, objectNamespace: 'shop' },
      },
      INLINE,
    ],
  ])('%s %o', (method, request, needs) => {
    const found = needsOf(`${method} /v1alpha2/solution/queue`, request).map((text) =>
      text.replace(' in namespace "default"', ''),
    );
    expect(found).toEqual(needs.map((text) => inline(text, request)));
  });

  /** Without a namespace anywhere a posted deployment is of `default`. */
  function inline(text: string, { query, body }: Request): string {
    return body && !query?.['namespace'] ? text.replace(` ${IN_SHOP}`, '') : text;
  }
});
