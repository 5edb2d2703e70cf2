import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EdgeApp, type RawAnswer, startEdgeApp } from '../../../test/support/edge-app.js';
import type { ProblemDetails } from './problem-details.js';

@Controller('v1alpha2')
class TakesAnything {
  @Get('things/:name')
  get(@Param('name') name: string): object {
    return { name };
  }

  @Post('things')
  @HttpCode(200)
  post(@Body() body: unknown): object {
    return { type: body === undefined ? 'nothing' : typeof body };
  }

  @Delete('things/:name')
  remove(): object {
    return {};
  }
}

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([TakesAnything], { bodyLimitBytes: 4 * 1024 * 1024 });
});
afterAll(() => edge.close());

const HOST = 'Host: h\r\n';

function post(body: string | Buffer, headers = 'Authorization: Bearer x\r\n'): Promise<RawAnswer> {
  const bytes = Buffer.from(body);
  const head = `POST /v1alpha2/things HTTP/1.1\r\n${HOST}${headers}Content-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`;
  return edge.send(Buffer.concat([Buffer.from(head), bytes]));
}

async function refused(answer: Promise<RawAnswer>, status = 400): Promise<ProblemDetails> {
  const { headers, body, status: actual } = await answer;
  expect(actual, body).toBe(status);
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(headers['access-control-allow-origin']).toBeUndefined();
  const problem = JSON.parse(body) as ProblemDetails;
  expect(problem).toMatchObject({
    type: `urn:symphony:error:${problem.code}`,
    status,
    instance: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/) as string,
    problems: expect.any(Array) as unknown[],
  });
  expect(problem.detail).not.toBe('');
  return problem;
}

/** After each kind of garbage the process still serves. */
async function stillServes(): Promise<void> {
  const answer = await edge.send(`GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ faults: { unhandledRejection: 0, uncaughtException: 0 } });
}

describe('bodies that cannot be used name the place', () => {
  test.each<[string, string | Buffer, string]>([
    ['NUL in a value', '{"a":[{"b":"x\\u0000"}]}', 'a[0].b'],
    ['NUL in a key', '{"a":{"x\\u0000":1}}', 'a["x\uFFFD"]'],
    ['half a surrogate pair', '{"a":"\\ud800"}', 'a'],
    ['the other half', '{"a":["ok","\\udc00x"]}', 'a[1]'],
    ['__proto__ in JSON', '{"spec":{"__proto__":{"admin":true}}}', 'spec.__proto__'],
    ['__proto__ in YAML', 'spec:\n  __proto__: {admin: true}', 'spec.__proto__'],
    ['a big integer', '{"id":9007199254740993}', 'id'],
    ['20 digits', '{"a":{"b":[12345678901234567890]}}', 'a.b[0]'],
    ['a number without end', '{"a":1e400}', 'a'],
    ['a number that is nearly nothing', '{"a":1e-400}', 'a'],
    ['a long fraction', '{"a":0.12345678901234567890}', 'a'],
    ['a big integer in YAML', 'a:\n- 1\n- b: 9007199254740993', 'a[1].b'],
    ['infinity in YAML', 'a: .inf', 'a'],
  ])('%s', async (_name, body, path) => {
    const { problems } = await refused(post(body));
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(Object.prototype).not.toHaveProperty('admin');
  });

  test.each<[string, string | Buffer]>([
    ['nothing that ends', '{"a":'],
    ['an end too many', '{"a":1}}'],
    ['garbage after JSON', '{"a":1} tail'],
    ['two JSON values', '{"a":1}{"b":2}'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['surrogates in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['bytes of anything', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256))],
    ['a tag that makes code', 'a: !!js/function "function(){}"'],
    ['a tag that makes bytes', 'a: !!binary aGk='],
    ['YAML 1.1', '%YAML 1.1\n---\na: yes'],
    ['an alias of nothing', 'a: *x'],
    [
      'laughs',
      `a: &a [x,x,x,x,x,x,x,x]\n${'bcdefgh'.replaceAll(
        /./g,
        (c) =>
          `${c}: &${c} [${Array(8)
            .fill(`*${String.fromCharCode(c.charCodeAt(0) - 1)}`)
            .join()}]\n`,
      )}`,
    ],
    ['an object in itself', 'a: &a\n  b: *a'],
    ['deep JSON', `${'['.repeat(65)}${']'.repeat(65)}`],
    ['very deep JSON', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['JSON that never comes up', '['.repeat(2_000_000)],
    ['braces without end', '{'.repeat(2_000_000)],
    ['lists in lists', '- '.repeat(200_000)],
    ['keys in keys', '? '.repeat(200_000)],
    ['too many values', `[${'0,'.repeat(150_000)}0]`],
    ['quotes', '"'.repeat(500_000)],
    ['a form', 'a=b: c: d&e=f'],
  ])('%s', async (_name, body) => {
    const { detail } = await refused(post(body));
    expect(detail.length).toBeLessThan(700);
    await stillServes();
  });

  test('what a body holds is not quoted back', async () => {
    const { detail, problems } = await refused(post('{"password": "hunter2", oops'));
    expect(detail + JSON.stringify(problems)).not.toContain('hunter2');
    expect(detail).toBe('The body cannot be read: as JSON it is wrong in line 1, column 25.');
  });

  test('YAML of somebody without a token is short', async () => {
    const yaml = 'key: value\n'.repeat(10_000);
    await refused(post(yaml, ''));
    expect((await post(yaml)).status).toBe(200);
  });

  test('the deepest, and keys that are only unusual, are taken', async () => {
    expect((await post(`${'['.repeat(64)}${']'.repeat(64)}`)).status).toBe(200);
    expect((await post('{"constructor":{"prototype":{"x":1}},"toString":1,"":2}')).status).toBe(200);
    expect(
      (await post('{"a":9007199254740991,"b":1e21,"c":0.1,"d":"12345678901234567890","e":-0.0}')).status,
    ).toBe(200);
  });
});

describe('sizes', () => {
  test('10 MB are answered, though the client sends them all first', async () => {
    const problem = await refused(post('x'.repeat(10_000_000)), 413);
    expect(problem.code).toBe('BodyTooLarge');
    await stillServes();
  });

  test('10 MB in chunks', async () => {
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const head = `POST /v1alpha2/things HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    await refused(edge.send(`${head}${chunk.repeat(10)}0\r\n\r\n`), 413);
  });

  test('a length that nobody would send is refused without waiting for it', async () => {
    await refused(
      edge.send(`POST /v1alpha2/things HTTP/1.1\r\n${HOST}Content-Length: 99999999999\r\n\r\n{`),
      413,
    );
  });

  test('a compressed body is 415', async () => {
    await refused(post('x', 'Content-Encoding: gzip\r\n'), 415);
  });

  test('headers and paths beyond 16 KiB are 431', async () => {
    await refused(edge.send(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`), 431);
    await refused(edge.send(`GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}\r\n\r\n`), 431);
    const long = await edge.send(
      `GET /v1alpha2/things/${'a'.repeat(8000)} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
    );
    expect(long.status).toBe(200);
  });
});

describe('paths', () => {
  test.each<[string, number]>([
    ['/v1alpha2/things/%00', 400],
    ['/v1alpha2/things/%E0%A4%A', 400],
    ['/v1alpha2/things/%', 400],
    ['/v1alpha2/things/%zz', 400],
    ['/v1alpha2/things/%ed%a0%80', 400],
    ['/v1alpha2/things/x?a=%ff', 400],
    ['/v1alpha2/things/x?a=%00', 400],
    ['/v1alpha2/things/caf\u00e9', 400],
    ['/../../etc/passwd', 404],
    ['/%2e%2e/%2e%2e/etc/passwd', 404],
    ['/docs/..%2f..%2f..%2fpackage.json', 404],
    ['/docs/%2e%2e/%2e%2e/package.json', 403],
    ['/v1alpha2/things/a/b', 404],
    ['/v1alpha2', 404],
    ['/', 404],
    ['*', 404],
    ['http://other/v1alpha2/nothing', 404],
    ['/V1ALPHA2/THINGS/x', 404],
    ['/v1alpha2/things//', 405],
  ])('%s is %i', async (path, status) => {
    const request = Buffer.from(`GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 'utf8');
    await refused(edge.send(request), status);
    await stillServes();
  });
});

describe('methods', () => {
  const ask = (method: string, path = '/v1alpha2/things/x'): Promise<RawAnswer> =>
    edge.send(`${method} ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);

  test.each(['POST', 'PUT', 'PATCH', 'PROPFIND', 'TRACE', 'QUERY', 'SEARCH'])(
    '%s is 405 and says what is allowed',
    async (method) => {
      const answer = await ask(method);
      await refused(Promise.resolve(answer), 405);
      expect(answer.headers.allow).toBe('DELETE, GET, HEAD, OPTIONS');
    },
  );

  test('HEAD is GET without a body, OPTIONS says what is allowed', async () => {
    const head = await ask('HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
    const options = await ask('OPTIONS');
    expect([options.status, options.headers.allow, options.body]).toEqual([
      200,
      'DELETE, GET, HEAD, OPTIONS',
      '',
    ]);
    await refused(ask('OPTIONS', '/nowhere'), 404);
  });
});

describe('bytes that are no HTTP', () => {
  test.each([
    'garbage\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'FOO /healthz HTTP/1.1\r\nHost: h\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: h\r\nBad Header\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'POST /v1alpha2/things HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n',
    'GET /a\u0000b HTTP/1.1\r\nHost: h\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001',
    'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n',
  ])('%j is 400', async (bytes) => {
    await refused(edge.send(bytes));
    await stillServes();
  });

  test('a client that goes away within its body leaves nothing behind', async () => {
    const { connect } = await import('node:net');
    for (const head of [
      'Content-Length: 100\r\n\r\n{"a"',
      'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
    ]) {
      const socket = connect(edge.port, '127.0.0.1');
      await new Promise<void>((resolve) => {
        socket.write(`POST /v1alpha2/things HTTP/1.1\r\n${HOST}${head}`, () => {
          socket.resetAndDestroy();
          resolve();
        });
      });
    }
    await stillServes();
    expect(edge.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});
