import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ComponentSpec } from '@symphony/model';
import type { ApplyResults, ComponentStep, TargetProvider } from '@symphony/provider-kit';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { HttpServerFixture } from './http-server.fixture.js';
import { httpProvider, type HttpOptions } from './index.js';

let server: HttpServerFixture;
let provider: TargetProvider | undefined;
beforeEach(async () => {
  server = await HttpServerFixture.start();
});
afterEach(async () => {
  await provider?.close?.();
  await server.stop();
});

type Properties = Record<string, unknown>;
const binding = { role: 'instance', provider: 'providers.target.http' };

function make(config: Record<string, string> = {}, options: HttpOptions = {}): TargetProvider {
  provider = httpProvider(options).create(config, binding);
  return provider;
}

async function apply(
  components: ComponentSpec[],
  options: { config?: Record<string, string>; action?: ComponentStep['action']; options?: HttpOptions } = {},
): Promise<ApplyResults> {
  const { config = {}, action = 'update' } = options;
  const steps = components.map((component) => ({ action, component }));
  const call = sampleCall(components);
  return make(config, options.options).apply({ ...call, steps, dryRun: false, isFirst: true });
}

const gate = (properties: Properties = {}): ComponentSpec => ({
  name: 'gate',
  properties: { 'http.url': `${server.url}/gate`, ...properties },
});

describe('applying', () => {
  it('sends one POST with a JSON content type, and succeeds on 200', async () => {
    const results = await apply([gate({ 'http.body': '{"instance":"shop"}' })]);
    expect(results).toEqual({ gate: { status: 8004, message: 'HTTP request succeeded' } });
    expect(server.received).toMatchObject([
      {
        method: 'POST',
        path: '/gate',
        body: '{"instance":"shop"}',
        headers: { 'content-type': 'application/json; charset=UTF-8' },
      },
    ]);
  });

  it('takes method, headers and an object as the body', async () => {
    await apply([gate({ 'http.method': 'put', 'http.body': { a: 1 }, 'http.header.X-Token': 'abc' })]);
    expect(server.received).toMatchObject([
      { method: 'PUT', body: '{"a":1}', headers: { 'x-token': 'abc' } },
    ]);
  });

  it('takes what the component leaves out from the binding, also by the short names of the sample', async () => {
    const config = { url: `${server.url}/common`, 'http.method': 'PUT', body: 'hello' };
    const results = await apply([{ name: 'gate' }], { config });
    expect(results['gate']?.status).toBe(8004);
    expect(server.received).toMatchObject([{ method: 'PUT', path: '/common', body: 'hello' }]);
  });

  it.each([201, 204, 302, 404, 500])('fails on %d with the answer as message', async (status) => {
    server.respond = (_received, response) => {
      response.statusCode = status;
      response.end(status === 204 ? undefined : 'not approved yet');
    };
    const { gate: result } = await apply([gate()]);
    expect(result?.status).toBe(8001);
    expect(result?.message).toContain(String(status));
    if (status !== 204) expect(result?.message).toContain('not approved yet');
  });

  it('succeeds on the statuses that the component expects', async () => {
    server.respond = (_received, response) => response.writeHead(202).end();
    expect((await apply([gate({ 'http.expect': '200, 202' })]))['gate']?.status).toBe(8004);
    expect((await apply([gate({ 'http.expect': '2xx' })]))['gate']?.status).toBe(8004);
    expect((await apply([gate({ 'http.expect': '203-299' })]))['gate']?.status).toBe(8001);
  });

  it('does not ask for what depends on a gate that refused', async () => {
    server.respond = ({ path }, response) => response.writeHead(path === '/gate' ? 403 : 200).end();
    const after = {
      name: 'after',
      dependencies: ['gate'],
      properties: { 'http.url': `${server.url}/after` },
    };
    const results = await apply([gate(), after]);
    expect(results).toMatchObject({ gate: { status: 8001 }, after: { status: 8001 } });
    expect(server.received.map(({ path }) => path)).toEqual(['/gate']);
  });

  it('sends credentials of the URL as a header, and shows neither them nor the path', async () => {
    server.respond = (_received, response) => response.writeHead(500).end();
    const url = `${server.url.replace('://', '://ann:p%40ss@')}/token-in-path?key=1`;
    const { gate: result } = await apply([gate({ 'http.url': url })]);
    const expected = `Basic ${Buffer.from('ann:p@ss').toString('base64')}`;
    expect(server.received[0]?.headers.authorization).toBe(expected);
    expect(result?.message).not.toMatch(/p%40ss|p@ss|token-in-path|key=1/);
  });

  it.each([
    [{ 'http.url': 'ftp://example.test' }, 'http.url'],
    [{ 'http.url': 'nonsense' }, 'http.url'],
    [{ 'http.method': 'A B' }, 'http.method'],
    [{ 'http.expect': '700' }, 'http.expect'],
    [{ 'http.header.X': 'a\r\nY: b' }, 'http.header.X'],
    [{ 'http.once': 'perhaps' }, 'http.once'],
  ])('refuses %j and names the property', async (properties, name) => {
    const { gate: result } = await apply([gate(properties)]);
    expect(result?.status).toBe(8003);
    expect(result?.message).toContain(name);
    expect(server.received).toEqual([]);
  });

  it('says so when nobody listens', async () => {
    await server.stop();
    const { gate: result } = await apply([gate()]);
    expect(result).toMatchObject({
      status: 8001,
      message: expect.stringContaining('got no answer') as string,
    });
  });
});

describe('redirects', () => {
  it('are followed, without the headers on another server', async () => {
    const other = await HttpServerFixture.start();
    server.respond = (_received, response) => response.writeHead(307, { location: `${other.url}/new` }).end();
    const { gate: result } = await apply([gate({ 'http.body': 'x', 'http.header.Authorization': 'secret' })]);
    expect(result?.status).toBe(8004);
    expect(other.received).toMatchObject([{ method: 'POST', path: '/new', body: 'x' }]);
    expect(other.received[0]?.headers.authorization).toBeUndefined();
    await other.stop();
  });

  it('end after ten', async () => {
    server.respond = (_received, response) => response.writeHead(302, { location: '/gate' }).end();
    expect((await apply([gate()]))['gate']?.message).toContain('redirected more than 10 times');
    expect(server.received).toHaveLength(11);
  });
});

describe('addresses of the own link and of metadata services', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://0xA9FEA9FE/',
    'http://100.100.100.200/',
  ])('%s is refused', async (url) => {
    const { gate: result } = await apply([gate({ 'http.url': url })]);
    expect(result?.status).toBe(8001);
    expect(result?.message).toContain('providers.http.allowLinkLocal');
  });

  it('are the only ones: a name of loopback is fine', async () => {
    const url = server.url.replace('127.0.0.1', 'localhost');
    expect((await apply([gate({ 'http.url': url })]))['gate']?.status).toBe(8004);
  });

  it('are refused behind a redirect too', async () => {
    server.respond = (_received, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    expect((await apply([gate()]))['gate']?.message).toContain('providers.http.allowLinkLocal');
  });
});

describe('observing and removing', () => {
  it('reports nothing without a way to ask, so a gate is asked in each run', async () => {
    const reference: ComponentStep = { action: 'update', component: gate() };
    expect(await make().get({ ...sampleCall([gate()]), references: [reference] })).toEqual([]);
    expect(server.received).toEqual([]);
  });

  it('trusts the acceptance with http.once', async () => {
    const component = gate({ 'http.once': 'true' });
    const found = await make().get({
      ...sampleCall([component]),
      references: [{ action: 'update', component }],
    });
    expect(found).toEqual([component]);
  });

  it('rejects when the answer says neither yes nor no', async () => {
    server.respond = (_received, response) => response.writeHead(503).end('later');
    const component = gate({ 'http.get.url': server.url });
    const call = { ...sampleCall([component]), references: [{ action: 'update' as const, component }] };
    await expect(make().get(call)).rejects.toMatchObject({ reason: 'ObservationFailed' });
  });

  it('sends nothing on a removal without a way to ask', async () => {
    expect(await apply([gate()], { action: 'delete' })).toEqual({ gate: { status: 9998, message: '' } });
    expect(server.received).toEqual([]);
  });

  it('asks for the removal where the component says how', async () => {
    server.respond = (_received, response) => response.writeHead(404).end();
    const component = gate({ 'http.delete.url': `${server.url}/gone`, 'http.header.X-Token': 'abc' });
    expect(await apply([component], { action: 'delete' })).toMatchObject({ gate: { status: 8005 } });
    expect(server.received).toMatchObject([
      { method: 'DELETE', path: '/gone', headers: { 'x-token': 'abc' } },
    ]);
  });
});

describe('the configuration', () => {
  it('names a key that cannot work', () => {
    expect(() => make({ 'http.url': 'file:///etc/passwd' })).toThrow(
      "'http.url' must be an http or https URL",
    );
  });
});
