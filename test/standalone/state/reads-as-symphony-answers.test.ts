import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { instanceBody, solutionBody, startStateApp, type StateApp, targetBody } from './state-app.js';

let state: StateApp;
let call: StateApp['call'];

beforeAll(async () => {
  state = await startStateApp('reads');
  ({ call } = state);
});
afterAll(() => state.close());
beforeEach(async () => {
  await state.database.query('TRUNCATE objects, object_status, lanes, fan_outs, ledger CASCADE');
});

async function namesOf(path: string): Promise<string[]> {
  const answer = await call('GET', path);
  expect(answer.status).toBe(200);
  return (answer.json() as unknown as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
}

describe('one object', () => {
  test('is shown with metadata, spec and status, without apiVersion and kind', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody({}, { labels: { a: 'b' } }) });
    const answer = await call('GET', 'targets/registry/edge');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(Object.keys(answer.json())).toEqual(['metadata', 'spec', 'status']);
    expect(answer.json()['metadata']).toMatchObject({
      name: 'edge',
      namespace: 'default',
      labels: { a: 'b' },
      objGeneraion: 1,
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      creationTimestamp: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    await call('POST', 'solutions/s', { body: solutionBody() });
    expect(Object.keys((await call('GET', 'solutions/s')).json())).toEqual(['metadata', 'spec']);
  });

  test('percent-encoded names and trailing slashes are served', async () => {
    await call('POST', 'solutions/a%3Ab/', { body: solutionBody() });
    expect((await call('GET', 'solutions/a:b')).status).toBe(200);
    expect((await call('GET', 'solutions/a%3ab/')).status).toBe(200);
    expect(await namesOf('solutions/')).toEqual(['a:b']);
  });

  test('a client that has it gets 304, until anything that is shown changes', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    const read = async (etag: unknown) =>
      (await call('GET', 'targets/registry/edge', { headers: { 'if-none-match': String(etag) } })).status;
    const { etag } = (await call('GET', 'targets/registry/edge')).headers;
    expect(await read(etag)).toBe(304);
    expect(await read('*')).toBe(304);
    await call('PUT', 'targets/status/edge?a=b');
    expect(await read(etag)).toBe(200);
  });

  test.each([
    ['$.spec.components[0].properties.image', '"web:1"'],
    ['@.spec.components[-1].name', '"web"'],
    ["$['spec']['version']", '"1"'],
    ['$.spec.components[*].name', '["web"]'],
    ["$.spec.components[?(@.name == 'web')].type", '["container"]'],
    ['first_embedded', '"a: 1"'],
    ['$.spec.none', 'null'],
    ['$.spec.components[7]', 'null'],
    ['$..name', 'null'],
    ['spec.version', 'null'],
    ['$.spec.components[', 'null'],
    ['$.spec.__proto__', 'null'],
  ])('path %s answers %s', async (path, expected) => {
    const properties = { image: 'web:1', embedded: 'a: 1' };
    const body = solutionBody({ version: '1', components: [{ name: 'web', type: 'container', properties }] });
    await call('POST', 'solutions/s', { body });
    const answer = await call('GET', `solutions/s?path=${encodeURIComponent(path)}`);
    expect(answer).toMatchObject({ status: 200, text: expected });
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect((await call('GET', `solutions?path=${encodeURIComponent(path)}`)).text).toBe(`[${expected}]`);
  });

  test('as YAML: text/plain, keys in order, texts stay texts for readers of YAML 1.1', async () => {
    await call('POST', 'solutions/s', {
      body: solutionBody({ version: '1.10', metadata: { b: 'yes', a: '010' } }),
    });
    const answer = await call('GET', 'solutions/s?doc-type=yaml');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(parse(answer.text)).toEqual((await call('GET', 'solutions/s')).json());
    expect(parse(answer.text, { version: '1.1' })).toMatchObject({
      spec: { version: '1.10', metadata: { a: '010', b: 'yes' } },
    });
    expect(answer.text.indexOf('components:')).toBeLessThan(answer.text.indexOf('version:'));
    expect((await call('GET', 'solutions/s?doc-type=xml')).headers['content-type']).toContain(
      'application/json',
    );
  });

  test('an embedded document comes out as that document', async () => {
    const query = 'embed-type=yaml&embed-component=c&embed-property=embedded';
    const text = '# what: comment\nb: [1, 2]\na: "1.10"\n';
    expect((await call('POST', `solutions/s?${query}`, { body: text })).status).toBe(200);
    expect((await call('GET', 'solutions/s')).json()['spec']).toEqual({
      displayName: 's',
      components: [{ name: 'c', type: 'yaml', properties: { embedded: text } }],
    });
    const embedded = await call('GET', 'solutions/s?path=first_embedded&doc-type=yaml');
    expect(parse(embedded.text)).toEqual({ a: '1.10', b: [1, 2] });
    await call('POST', `solutions/s?${query}`, { body: 'a: [1' });
    expect((await call('GET', 'solutions/s?path=first_embedded&doc-type=yaml')).text).toBe('a: [1\n');
    await call('POST', `solutions/s?${query}`, { body: bomb() });
    const guarded = await call('GET', 'solutions/s?path=first_embedded&doc-type=yaml');
    expect(guarded.status).toBe(200);
    expect(guarded.text.length).toBeLessThan(10_000);
  });

  test('embedding needs all three parameters and a text', async () => {
    const query = 'embed-type=yaml&embed-component=c';
    expect((await call('POST', `solutions/s?${query}`, { body: 'x' })).json()).toMatchObject({
      status: 400,
      problems: [{ path: 'embed-property' }],
    });
    const all = `${query}&embed-property=p`;
    expect((await call('POST', `solutions/s?${all}`)).status).toBe(400);
    expect((await call('POST', `solutions/s?${all}`, { body: 'a\0b' })).status).toBe(400);
  });
});

/** Nine levels of nine aliases: small to send, a billion entries when written out. */
function bomb(): string {
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
  for (let n = 1; n < 9; n++)
    lines.push(
      `a${n}: &a${n} [${Array(9)
        .fill(`*a${n - 1}`)
        .join(',')}]`,
    );
  return lines.join('\n');
}

describe('lists', () => {
  beforeEach(async () => {
    for (const [name, labels] of [
      ['a', { app: 'web' }],
      ['b', { app: 'db' }],
      ['c', { app: 'web', old: 'x' }],
    ] as const) {
      await call('POST', `targets/registry/${name}`, {
        body: targetBody({ properties: { n: name } }, { labels }),
      });
    }
  });

  test('an empty one is an empty list', async () => {
    expect((await call('GET', 'instances')).text).toBe('[]');
    expect((await call('GET', 'instances?doc-type=yaml')).text).toBe('[]\n');
  });

  test('as YAML: one sequence; with a path one document each', async () => {
    expect(parse((await call('GET', 'targets/registry?doc-type=yaml')).text)).toHaveLength(3);
    const { text } = await call('GET', 'targets/registry?doc-type=yaml&path=$.spec.properties');
    expect(parseAllDocuments(text).map((document) => document.toJS() as unknown)).toEqual([
      { n: 'a' },
      { n: 'b' },
      { n: 'c' },
    ]);
  });

  test.each([
    ['label-selector=app%3Dweb', ['a', 'c']],
    ['labelSelector=app%3Dweb,!old', ['a']],
    ['label-selector=app+in+(db,web),old!=x', ['a', 'b']],
    ['label-selector=app+notin+(db)', ['a', 'c']],
    ['label-selector=old', ['c']],
    ['field-selector=metadata.name%3Db', ['b']],
    ['fieldSelector=spec.properties.n!=b', ['a', 'c']],
    ['field-selector=metadata.labels[%22app%22]%3D%3Ddb', ['b']],
    ["field-selector=metadata.name%3Da'; DROP TABLE objects --".replaceAll(' ', '+'), []],
  ])('%s', async (query, expected) => {
    expect(await namesOf(`targets/registry?${query}`)).toEqual(expected);
  });

  test.each([
    'label-selector=a%3Db%3Dc',
    'label-selector=app+in+web',
    'field-selector=app%3Dweb',
    'field-selector=spec.a',
    'field-selector=spec[%3D1',
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=1&continue=x',
  ])('%s is 400 with the name of the parameter', async (query) => {
    const answer = await call('GET', `targets/registry?${query}`);
    const { problems } = answer.json() as { problems?: { path: string }[] };
    expect(answer.status).toBe(400);
    expect(query).toContain(problems?.[0]?.path);
  });

  test('pages go on where X-Continue says, and Link is the URL of the next', async () => {
    const first = await call('GET', 'targets/registry?limit=2&label-selector=app&path=$.metadata.name');
    expect(first.text).toBe('["a","b"]');
    const link = /^<\/v1alpha2\/(.*)>; rel="next"$/.exec(String(first.headers['link']))?.[1] ?? '';
    const second = await call('GET', link);
    expect(second.text).toBe('["c"]');
    expect(second.headers['x-continue']).toBeUndefined();
    expect(second.headers['link']).toBeUndefined();
    const token = encodeURIComponent(String(first.headers['x-continue']));
    expect((await call('GET', `targets/registry?limit=2&continue=${token}`)).json()).toMatchObject({
      status: 400,
      code: 'InvalidContinue',
    });
  });
});

describe('the other routes', () => {
  test('PUT targets/status merges texts of body and query and answers the whole target', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    const body = { status: { properties: { a: '1', b: '1' }, other: 1 }, more: 1 };
    const first = await call('PUT', 'targets/status/edge?namespace=default&q=1', { body });
    expect(first.json()).toMatchObject({
      metadata: { name: 'edge' },
      status: { properties: { a: '1', b: '1', q: '1' }, lastModified: expect.any(String) as string },
    });
    const second = await call('PUT', 'targets/status/edge/component', { body: { properties: { b: '2' } } });
    expect(second.json()['status']).toMatchObject({ properties: { a: '1', b: '2', q: '1' } });
    expect((await call('PUT', 'targets/status/edge')).status).toBe(200);
    expect((await call('PUT', 'targets/status/none')).status).toBe(404);
    for (const [bad, path] of [
      [{ status: { properties: { a: 1 } } }, 'status.properties.a'],
      [{ properties: { 'a.b': null } }, 'properties["a.b"]'],
      [{ properties: [] }, 'properties'],
      [[], ''],
    ] as const) {
      const answer = await call('PUT', 'targets/status/edge', { body: bad });
      expect(answer.json()).toMatchObject({ status: 400, problems: [{ path }] });
    }
  });

  test('POST targets/ping sets lastModified', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    expect(await call('POST', 'targets/ping/edge')).toMatchObject({ status: 200, text: '{}' });
    const { status } = (await call('GET', 'targets/registry/edge')).json() as {
      status: { lastModified: string };
    };
    expect(Math.abs(Date.parse(status.lastModified) - Date.now())).toBeLessThan(60_000);
    expect((await call('POST', 'targets/ping/none')).status).toBe(404);
  });

  test('GET targets/download', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    const yaml = await call('GET', 'targets/download/yaml/edge');
    expect(parse(yaml.text)).toMatchObject({ metadata: { name: 'edge' } });
    expect((await call('GET', 'targets/download/json/edge?path=$.metadata.name')).text).toBe('"edge"');
    expect((await call('GET', 'targets/download/yaml/none')).status).toBe(404);
  });

  test('instances in shorthand', async () => {
    expect((await call('POST', 'instances/i?solution=app:1&target=edge')).status).toBe(200);
    expect((await call('GET', 'instances/i')).json()['spec']).toEqual({
      displayName: 'i',
      solution: 'app:1',
      target: { name: 'edge' },
    });
    const selector = `solution=app&target-selector=${encodeURIComponent('os=linux')}&namespace=n`;
    expect((await call('POST', `instances/j?${selector}`, { body: 'ignored' })).status).toBe(200);
    expect((await call('GET', 'instances/j?namespace=n')).json()['spec']).toMatchObject({
      target: { selector: { os: 'linux' } },
    });
    for (const bad of [
      'solution=a',
      'target=a',
      'solution=a&target-selector=x',
      'solution=a&target-selector=a%3Db%3Dc',
    ]) {
      expect((await call('POST', `instances/k?${bad}`, { body: instanceBody() })).status).toBe(400);
    }
  });

  test('with-binding is refused with a sentence', async () => {
    const staging = await call('POST', 'targets/registry/x?with-binding=staging', { body: targetBody() });
    expect(staging.json()).toMatchObject({ status: 422, code: 'StagingNotSupported' });
    expect((await call('POST', 'targets/registry/x?with-binding=y', { body: targetBody() })).status).toBe(
      400,
    );
  });

  test('solution containers are stored and mean nothing', async () => {
    const body = { metadata: { labels: { a: 'b' } }, spec: { whatever: 1 } };
    expect((await call('POST', 'solutioncontainers/app', { body })).status).toBe(200);
    expect((await call('GET', 'solutioncontainers/app')).json()).toMatchObject({
      metadata: { labels: { a: 'b' } },
      spec: {},
    });
    expect(await namesOf('solutioncontainers')).toEqual(['app']);
    expect((await call('POST', 'solutioncontainers/app', { body: '[]' })).status).toBe(400);
  });

  test('greetings', async () => {
    const answer = await call('GET', 'greetings');
    expect(answer).toMatchObject({ status: 200, text: 'Hello from Symphony K8s control plane (S8C)' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(await call('POST', 'greetings', { body: '{"agent": 1}' })).toMatchObject({
      status: 200,
      text: '',
    });
  });

  test('an unknown method of a known path is 405', async () => {
    const answer = await call('DELETE', 'instances');
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS, POST');
  });
});
