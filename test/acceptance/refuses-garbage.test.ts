import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mockTopology } from '../support/engine.js';
import { isElsewhere, openPlace, type EnginePlace } from '../support/engine-place.js';
import { EngineProcess } from '../support/engine-process.js';
import { BODIES, HEADERS, QUERY_VALUES, SEGMENTS, TOKENS, VALUES } from '../support/garbage.js';
import { exchange, type RawRequest, type TimedAnswer } from '../support/raw-http.js';

const ALL_MS = 300_000;
/** No garbage may keep a client waiting, or the engine busy, for longer. */
const ANSWER_MS = 5000;
/** Garbage that is slow is slow each time; a machine that stands still for a moment is not. */
const MORE_TRIES = 2;

interface Route {
  method: string;
  /** With `{parameters}`. */
  template: string;
  query: readonly string[];
  hasBody: boolean;
}

interface OpenApi {
  paths: Record<
    string,
    Record<string, { parameters?: { name: string; in: string }[]; requestBody?: unknown } | undefined>
  >;
}

let place: EnginePlace;
let engine: EngineProcess;
let routes: Route[];

beforeAll(async () => {
  place = await openPlace();
  // Nobody is killed here: that all this load may cost the leader its term is for other tests.
  const args = isElsewhere() ? ['--kubernetes-lease-seconds=60'] : [];
  engine = await EngineProcess.start({ place, args });
  const document = (await (await fetch(`${engine.url}/openapi.json`)).json()) as OpenApi;
  routes = Object.entries(document.paths).flatMap(([template, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      template,
      query: (operation?.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name),
      hasBody: operation?.requestBody !== undefined,
    })),
  );
  expect(routes.length).toBeGreaterThan(30);
});
afterAll(async () => {
  await engine.stop();
  await place.drop();
});

/** The path of a route with good values for its parameters. */
function pathOf({ template }: Route): string {
  const good: Record<string, string> = {
    kind: 'Instance',
    namespace: 'default',
    id: '1',
    docType: 'yaml',
    delete: 'delete',
  };
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => good[name] ?? 'some');
}

const authorized = (): readonly [string, string] => [
  'Authorization',
  engine.authorization['authorization'] ?? '',
];

/** Sends a request that need not make sense. The answer may be anything but our failure, and comes soon. */
async function withstands(request: RawRequest, what: string): Promise<TimedAnswer> {
  const label = `${request.method} ${String(request.target).slice(0, 120)} (${what.slice(0, 200)})`;
  const answer = await exchange(engine.url, place.raw(request)).catch((error: unknown) => {
    throw new Error(`${label} got no answer: ${String(error)}`);
  });
  const shown = `${label} -> ${answer.status} ${answer.body.slice(0, 300)}`;
  // The answer of a posted deployment that ran and failed is its summary, as in Symphony.
  const isSummary = answer.status === 500 && /^\{.*"targetCount":/.test(answer.body);
  if (!isSummary) {
    expect(answer.status, shown).toBeLessThan(500);
    if (answer.status >= 400 && request.method !== 'HEAD') {
      expect(answer.headers['content-type'] ?? '', shown).toContain('application/problem+json');
      const problem = answer.json<{ status: number; code: string; detail: string }>();
      expect(problem.status, shown).toBe(answer.status);
      expect(problem.code, shown).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(problem.detail, shown).not.toBe('');
    }
  }
  const times = [answer.ms];
  while (Math.min(...times) >= ANSWER_MS && times.length <= MORE_TRIES) {
    times.push((await exchange(engine.url, place.raw(request))).ms);
  }
  expect(Math.min(...times), `${shown} took ${times.map(Math.round).join(', ')} ms`).toBeLessThan(ANSWER_MS);
  return answer;
}

async function stillServes(): Promise<void> {
  expect(engine.alive, engine.output.slice(-2000)).toBe(true);
  const health = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
  expect(health.faults).toEqual({ unhandledRejection: 0, uncaughtException: 0 });
  await engine.target('good', { topologies: mockTopology('good') });
  expect((await engine.get('targets/registry', 'good'))?.metadata.name).toBe('good');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
}

/** A few at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

test('the description of the routes names each parameter once, and those of the path as they stand there', async () => {
  const document = (await (await fetch(`${engine.url}/openapi.json`)).json()) as OpenApi;
  for (const [template, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const names = (operation?.parameters ?? []).map((one) => `${one.in} ${one.name.toLowerCase()}`);
      expect(names, `${method} ${template}`).toEqual([...new Set(names)]);
      const inPath = (operation?.parameters ?? []).filter((one) => one.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`).toSorted(), `${method} ${template}`).toEqual(
        (template.match(/\{\w+\}/g) ?? []).toSorted(),
      );
    }
  }
});

test('garbage as the body, on every route', { timeout: ALL_MS }, async () => {
  const cases = routes.flatMap((route) =>
    Object.entries(BODIES)
      .filter(([, body]) => route.hasBody || body.length < 10_000)
      .map(([name, body]) => ({ route, name, body })),
  );
  await each(cases, ({ route, name, body }) =>
    withstands({ method: route.method, target: pathOf(route), headers: [authorized()], body }, name),
  );
  await stillServes();
});

test('garbage in the path, on every route that has a name in it', { timeout: ALL_MS }, async () => {
  const cases = routes.flatMap((route) =>
    [...route.template.matchAll(/\{\w+\}/g)].flatMap(({ index, 0: parameter }) =>
      SEGMENTS.map((segment) => {
        const before = pathOf({ ...route, template: route.template.slice(0, index) });
        const after = pathOf({ ...route, template: route.template.slice(index + parameter.length) });
        return { route, target: Buffer.concat([before, segment, after].map((part) => Buffer.from(part))) };
      }),
    ),
  );
  await each(cases, ({ route, target }) =>
    withstands({ method: route.method, target, headers: [authorized()] }, 'path'),
  );
  const odd = [
    '//',
    '/v1alpha2//instances',
    '/v1alpha2/instances//',
    '/V1ALPHA2/instances',
    '/v1alpha2',
    '*',
    'instances',
    'http://other/v1alpha2/instances',
    '/v1alpha2/instances?',
    '/v1alpha2/instances?&&&=&=',
    '/v1alpha2/instances#x',
    '/openapi.json/../v1alpha2/instances',
    '/docs/../../package.json',
    '/docs/%2e%2e/%2e%2e/package.json',
  ];
  await each(odd, (target) => withstands({ method: 'GET', target, headers: [authorized()] }, 'odd path'));
  await stillServes();
});

test('garbage in the query, on every route', { timeout: ALL_MS }, async () => {
  const cases = routes.flatMap((route) =>
    route.query.flatMap((name) => [
      ...QUERY_VALUES.map((value) => ({ route, query: `${name}=${value}` })),
      ...[`${name}=1&${name}=2`, `${name}[]=1`, `${name}[a]=1`, name, `${name}=%00&__proto__=1`].map(
        (query) => ({ route, query }),
      ),
    ]),
  );
  await each(cases, ({ route, query }) =>
    withstands(
      { method: route.method, target: `${pathOf(route)}?${query}`, headers: [authorized()] },
      'query',
    ),
  );
  await stillServes();
});

test(
  'garbage in the headers, methods that nobody knows, tokens that are none',
  { timeout: ALL_MS },
  async () => {
    const cases = routes.flatMap((route) => [
      ...HEADERS.map((header) => ({
        method: route.method,
        target: pathOf(route),
        headers: [authorized(), header],
        body: route.hasBody ? '{}' : undefined,
      })),
      ...TOKENS.map((token) => ({
        method: route.method,
        target: pathOf(route),
        headers: [['Authorization', token] as const],
      })),
      ...['PATCH', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'FOO', 'get'].map((method) => ({
        method,
        target: pathOf(route),
        headers: [authorized()],
      })),
    ]);
    await each(cases, (request) => withstands(request, request.headers.map(String).join(' ')));
    await stillServes();
  },
);

const SOLUTION = {
  metadata: { name: 'some', namespace: 'default', labels: { a: 'b' }, annotations: { c: 'd' } },
  spec: {
    displayName: 'some',
    metadata: { a: 'b' },
    components: [
      {
        name: 'c',
        type: 't',
        metadata: { a: 'b' },
        properties: { a: { b: ['c'] } },
        parameters: { a: 'b' },
        routes: [
          {
            route: 'r',
            type: 't',
            properties: { a: 'b' },
            filters: [{ direction: 'd', type: 't', parameters: { a: 'b' } }],
          },
        ],
        constraints: '${{$equal($property(os),linux)}}',
        dependencies: ['d'],
        skills: ['s'],
        sidecars: [{ name: 's', type: 't', properties: { a: 'b' } }],
      },
      { name: 'd' },
    ],
  },
};
const TARGET = {
  metadata: { name: 'some' },
  spec: {
    displayName: 'some',
    scope: 'default',
    metadata: { a: 'b' },
    properties: { os: 'linux' },
    components: [{ name: 'own', properties: { a: 'b' } }],
    constraints: '',
    topologies: [
      {
        device: 'd',
        selector: { a: 'b' },
        bindings: [{ role: 'instance', provider: 'providers.target.mock', config: { id: 'some' } }],
      },
    ],
    forceRedeploy: false,
    reconciliationPolicy: { state: 'active', interval: '1h' },
  },
};
const INSTANCE = {
  metadata: { name: 'some' },
  spec: {
    displayName: 'some',
    scope: 'default',
    parameters: { a: 'b' },
    metadata: { a: 'b' },
    solution: 'some',
    target: { name: 'some', selector: { os: 'linux' } },
    topologies: [],
    pipelines: [{ name: 'p', skill: 's', parameters: { a: 'b' } }],
    isDryRun: false,
    activeState: 'active',
    reconciliationPolicy: { state: 'active', interval: '1h' },
  },
};
const DEPLOYMENT = {
  solutionName: 'some',
  solution: { metadata: { name: 'some' }, spec: { components: [{ name: 'c', properties: { a: 'b' } }] } },
  instance: {
    metadata: { name: 'posted' },
    spec: { scope: 'default', solution: 'some', target: { name: 't' } },
  },
  targets: {
    t: { metadata: { name: 't' }, spec: { topologies: mockTopology('posted') } },
  },
  devices: [],
  assignments: { t: '{c}' },
  componentStartIndex: 0,
  componentEndIndex: 1,
  activeTarget: '',
  generation: '1',
  jobID: '1',
  objectNamespace: 'default',
  hash: 'h',
  isDryRun: false,
  isInActive: false,
};
const GOOD: readonly (readonly [string, string, object])[] = [
  ['POST', '/v1alpha2/solutions/some', SOLUTION],
  ['POST', '/v1alpha2/targets/registry/some', TARGET],
  ['POST', '/v1alpha2/instances/some', INSTANCE],
  ['POST', '/v1alpha2/solutioncontainers/some', { metadata: { name: 'some', labels: { a: 'b' } }, spec: {} }],
  ['PUT', '/v1alpha2/targets/status/some', { status: { properties: { a: 'b' } } }],
  ['POST', '/v1alpha2/users/auth', { username: 'somebody', password: 'x', csrfToken: 'y' }],
  ['POST', '/v1alpha2/solution/reconcile', DEPLOYMENT],
  ['DELETE', '/v1alpha2/solution/instances', DEPLOYMENT],
  ['GET', '/v1alpha2/solution/instances', DEPLOYMENT],
  ['POST', '/v1alpha2/solution/queue?objectType=deployment', DEPLOYMENT],
];

/** Every place in a document: keys and indexes from the top. */
function placesOf(value: unknown, way: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [way];
  return [way, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...way, key]))];
}

function withValue(document: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const copy = Array.isArray(document)
    ? ([...(document as unknown[])] as unknown as Record<string, unknown>)
    : { ...(document as Record<string, unknown>) };
  copy[key] = withValue(copy[key], rest, value);
  return copy;
}

test.each(GOOD)(
  '%s %s: something else at each place of a good body',
  { timeout: ALL_MS },
  async (method, target, good) => {
    const cases = placesOf(good).flatMap((way) => VALUES.map((value) => ({ way, value })));
    await each(cases, ({ way, value }) =>
      withstands(
        { method, target, headers: [authorized()], body: JSON.stringify(withValue(good, way, value)) },
        `${way.join('.')} = ${JSON.stringify(value)}`,
      ),
    );
    await stillServes();
  },
);

test('anything that JSON can say, anywhere', { timeout: ALL_MS }, async () => {
  const anything = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc
      .record(
        { metadata: fc.jsonValue(), spec: fc.jsonValue(), status: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 200 }),
  );
  const route = fc.constantFrom(...routes.filter(({ hasBody }) => hasBody));
  await fc.assert(
    fc.asyncProperty(route, anything, async (on, body) => {
      await withstands({ method: on.method, target: pathOf(on), headers: [authorized()], body }, body);
    }),
    { numRuns: 400 },
  );
  await stillServes();
});
