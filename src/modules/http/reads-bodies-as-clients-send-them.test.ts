import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';
import { parseBodyText, RawTextBody } from './index.js';

/** Tells what arrived. */
@Controller('v1alpha2')
class EchoController {
  @Get('solution/instances')
  get(@Body() body: unknown): object {
    return { body: body ?? 'none' };
  }

  @Post('echo')
  @HttpCode(200)
  post(@Body() body: unknown, @Req() request: FastifyRequest): object {
    return { body: body ?? 'none', raw: request.rawBodyText ?? 'none' };
  }

  @Delete('echo/:name')
  remove(@Body() body: unknown, @Param('name') name: string, @Query() query: object): object {
    return { body: body ?? 'none', name, query };
  }

  @Post('raw')
  @HttpCode(200)
  @RawTextBody()
  raw(@Body() body: unknown): object {
    return { body, parsed: parseBodyText(String(body)) };
  }
}

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([EchoController]);
});
afterAll(() => edge.close());

const HOST = 'Host: localhost:8082\r\n';
const withBody = (head: string, body: string): string =>
  `${head}${HOST}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

async function bodyOf(request: string | Buffer): Promise<unknown> {
  const answer = await edge.send(request);
  expect(answer.status, answer.body).toBe(200);
  return answer.json().body;
}

describe('the clients of Symphony', () => {
  test('curl -d calls JSON a form', async () => {
    const head =
      'POST /v1alpha2/echo HTTP/1.1\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n';
    expect(await bodyOf(withBody(head, '{"user":"admin","secret":""}'))).toEqual({
      user: 'admin',
      secret: '',
    });
  });

  test('curl --data-binary sends YAML, with line breaks of any kind', async () => {
    const head = 'POST /v1alpha2/echo HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n';
    expect(await bodyOf(withBody(head, 'metadata:\r\n  name: x\nspec: {}\n'))).toEqual({
      metadata: { name: 'x' },
      spec: {},
    });
  });

  test('maestro sends DELETE with a JSON type and no body', async () => {
    const head = `DELETE /v1alpha2/echo/t1?direct=true HTTP/1.1\r\n${HOST}User-Agent: Go-http-client/1.1\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n`;
    expect(await bodyOf(head)).toBe('none');
  });

  test('a Go client sends an empty body with a length of 0, or in chunks', async () => {
    const head = `POST /v1alpha2/echo HTTP/1.1\r\n${HOST}User-Agent: Go-http-client/1.1\r\nContent-Type: application/json\r\n`;
    expect(await bodyOf(`${head}Content-Length: 0\r\n\r\n`)).toBe('none');
    expect(await bodyOf(`${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toBe('none');
    expect(
      await bodyOf(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n1} \r\n0\r\n\r\n`),
    ).toEqual({ a: 1 });
  });

  test('the Python SDK sends JSON of its own, with blanks and escapes', async () => {
    const head =
      'POST /v1alpha2/echo HTTP/1.1\r\nUser-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n';
    expect(await bodyOf(withBody(head, '{"metadata": {"name": "caf\\u00e9 \\ud83d\\ude00"}}'))).toEqual({
      metadata: { name: 'café 😀' },
    });
  });

  test('GET with a body reads it, GET without does not wait for one', async () => {
    const head = 'GET /v1alpha2/solution/instances HTTP/1.1\r\nContent-Type: application/json\r\n';
    expect(await bodyOf(withBody(head, '{"instance":{"metadata":{"name":"a"}}}'))).toEqual({
      instance: { metadata: { name: 'a' } },
    });
    expect(await bodyOf(`${head}${HOST}\r\n`)).toBe('none');
    expect(await bodyOf(`GET /v1alpha2/solution/instances HTTP/1.0\r\n\r\n`)).toBe('none');
  });

  test('a client that asks before it sends is told to go on', async () => {
    const answer = await edge.send(
      withBody('POST /v1alpha2/echo HTTP/1.1\r\nExpect: 100-continue\r\n', '{"a":1}'),
    );
    expect(answer.status).toBe(200);
  });
});

describe('Content-Type says nothing', () => {
  test.each([
    '',
    'text/plain',
    'application/xml; charset=utf-16',
    'multipart/form-data; boundary=x',
    '/',
    ';;;',
    'a b c',
    '*/*',
  ])('%j', async (type) => {
    const head = `POST /v1alpha2/echo HTTP/1.1\r\nContent-Type: ${type}\r\n`;
    expect(await bodyOf(withBody(head, '{"a":1}'))).toEqual({ a: 1 });
  });

  test('blank bodies are no bodies, and a byte order mark is not part of one', async () => {
    const head = 'POST /v1alpha2/echo HTTP/1.1\r\n';
    expect(await bodyOf(withBody(head, ' \r\n\t'))).toBe('none');
    expect(await bodyOf(withBody(head, '\uFEFF{"a":1}'))).toEqual({ a: 1 });
  });

  test('the text is kept beside what was read from it; a raw route takes any text', async () => {
    const answer = await edge.send(withBody('POST /v1alpha2/echo HTTP/1.1\r\n', '{ "a": 1 }'));
    expect(answer.json()).toEqual({ body: { a: 1 }, raw: '{ "a": 1 }' });
    const text = 'kind: A\n---\nkind: B\n';
    const refused = await edge.send(withBody('POST /v1alpha2/raw HTTP/1.1\r\n', text));
    expect(refused.json().code).toBe('BodyNotReadable');
    expect(await bodyOf(withBody('POST /v1alpha2/raw HTTP/1.1\r\n', 'a: 1'))).toBe('a: 1');
  });
});

describe('paths and queries', () => {
  const ask = async (path: string): Promise<Record<string, unknown>> => {
    const answer = await edge.send(`DELETE ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    const body = answer.json();
    return Object.assign(body, { status: answer.status });
  };

  test('double and trailing slashes are served', async () => {
    expect(await ask('//v1alpha2///echo/x/')).toMatchObject({ status: 200, name: 'x' });
  });

  test('escapes are decoded once', async () => {
    expect(await ask('/v1alpha2/echo/a%3Ab-%C3%A9')).toMatchObject({ name: 'a:b-é' });
    expect(await ask('/v1alpha2/echo/a%2541')).toMatchObject({ name: 'a%41' });
    expect(await ask('/v1alpha2/ech%6F/a%2Fb')).toMatchObject({ name: 'a/b' });
    expect(await ask('/v1alpha2/echo/a+b')).toMatchObject({ name: 'a+b' });
  });

  test('each parameter is one text, the last of its name', async () => {
    expect(await ask('/v1alpha2/echo/x?a=1&a=2&b&c=x+y%20z&__proto__=1')).toMatchObject({
      query: { a: '2', b: '', c: 'x y z', ['__proto__']: '1' },
    });
  });
});
