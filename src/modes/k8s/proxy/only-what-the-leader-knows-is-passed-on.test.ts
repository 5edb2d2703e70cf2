import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AccessError } from '@symphony/model';
import { Controller, Get, Post, Req } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../../test/support/edge-app.js';
import type { Leader } from '../leadership/index.js';
import { HOP_HEADER } from './headers.js';
import { ADDRESS_ANNOTATION } from './leader-address.js';
import { LeaderConnections } from './leader-connections.js';
import { LeaderProxy } from './leader-proxy.js';

@Controller('v1alpha2')
class Local {
  @Get('jobs') jobs(): object {
    return { answeredBy: 'this replica' };
  }
  @Post('jobs') post(@Req() request: FastifyRequest): object {
    return { answeredBy: 'this replica', body: request.body };
  }
  @Get('instances') instances(): object {
    return { answeredBy: 'this replica' };
  }
}

interface Heard {
  method?: string;
  url?: string;
  headers: IncomingMessage['headers'];
  body: string;
}

let edge: EdgeApp;
let upstream: Server;
let connections: LeaderConnections;
let heard: Heard[];
let answer: (request: Heard, response: ServerResponse) => void;
let leader: Leader | undefined;
let term: object | undefined;
let withinMs: number;
let orItself: boolean;
let ofGoing: boolean;
let known: (request: FastifyRequest) => Promise<unknown>;

function leaderAt(port: number, epoch = 7): Leader {
  return { identity: 'other', epoch, annotations: { [ADDRESS_ANNOTATION]: `http://127.0.0.1:${port}` } };
}

beforeEach(async () => {
  heard = [];
  answer = (_request, response) => response.end('{"answeredBy":"the leader"}');
  upstream = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { method, url, headers } = request;
      const all = { method, url, headers, body };
      heard.push(all);
      answer(all, response);
    });
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  leader = leaderAt((upstream.address() as AddressInfo).port);
  term = undefined;
  withinMs = 10_000;
  orItself = ofGoing = false;
  known = () => Promise.resolve({ name: 'ann' });
  connections = new LeaderConnections({});
  const proxy = new LeaderProxy({
    leadership: {
      get term() {
        return term as never;
      },
      get leader() {
        return leader;
      },
    },
    identity: 'me',
    access: { identify: (request) => known(request) as never },
    connections,
    leaderWayOf: (_method, template) =>
      template === '/v1alpha2/jobs' ? { withinMs, orItself, ofGoing } : undefined,
    isGoing: ({ query }) => (query as { gone?: string }).gone !== 'no',
    lookEveryMs: 20,
  });
  edge = await startEdgeApp([Local], { before: (fastify: FastifyInstance) => proxy.install(fastify) });
});
afterEach(async () => {
  await connections.close();
  await edge.close();
  upstream.closeAllConnections();
  upstream.close();
});

const ask = (line: string, ...headers: string[]) =>
  edge.send(
    `${line} HTTP/1.1\r\n${['Host: localhost', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`,
  );

test('a follower answers itself what it can, and passes the rest on as it came', async () => {
  expect((await ask('GET /v1alpha2/instances')).json()).toEqual({ answeredBy: 'this replica' });
  expect(heard).toEqual([]);
  answer = (_request, response) =>
    response
      .writeHead(207, {
        'Content-Length': '4',
        'X-Continue': 'next',
        ETag: '"1"',
        Connection: 'x-own',
        'X-Own': '1',
        Vary: 'Origin',
      })
      .end('half');
  const answered = await ask(
    'GET /v1alpha2/jobs?namespace=a%20b&x=1',
    'Authorization: Bearer the.callers.token',
    'Origin: http://localhost',
    'X-Activity-CorrelationId: 12',
  );
  expect(answered).toMatchObject({ status: 207, body: 'half' });
  expect(answered.headers).toMatchObject({ 'x-continue': 'next', etag: '"1"' });
  expect(answered.headers).not.toHaveProperty('x-own');
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({ method: 'GET', url: '/v1alpha2/jobs?namespace=a%20b&x=1' });
  const { headers } = heard[0] as Heard;
  expect(headers).toMatchObject({
    authorization: 'Bearer the.callers.token',
    'x-activity-correlationid': '12',
    [HOP_HEADER]: 'me',
  });
  expect(headers).not.toHaveProperty('origin');
});

test.each(['Content-Length', 'Transfer-Encoding'])('a body goes on byte for byte (%s)', async (how) => {
  const body = `{"text": "${'ä'.repeat(50_000)}", "n": 1.10}`;
  const bytes = Buffer.byteLength(body);
  const [header, framed] =
    how === 'Content-Length'
      ? [`Content-Length: ${bytes}`, body]
      : ['Transfer-Encoding: chunked', `${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`];
  const answered = await edge.send(
    `POST /v1alpha2/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n\r\n${framed}`,
  );
  expect(answered.status).toBe(200);
  expect(heard[0]?.body).toBe(body);
});

test('the leader answers itself, also what was passed on to it', async () => {
  term = { epoch: 7 };
  expect((await ask('GET /v1alpha2/jobs', `${HOP_HEADER}: other`)).json()).toEqual({
    answeredBy: 'this replica',
  });
  expect(heard).toEqual([]);
});

test('what was passed on once is not passed on again', async () => {
  const answered = await ask('GET /v1alpha2/jobs', `${HOP_HEADER}: other`);
  expect(answered).toMatchObject({ status: 503 });
  expect(answered.json()).toMatchObject({ code: 'NotLeader' });
  expect(answered.headers['retry-after']).toBeDefined();
  expect(heard).toEqual([]);
});

test('nothing is passed on for a caller whom nobody knows', async () => {
  known = () => Promise.reject(new AccessError(401, 'Who are you?', 'TokenInvalid'));
  expect(await ask('GET /v1alpha2/jobs')).toMatchObject({ status: 401 });
  expect(heard).toEqual([]);
});

test.each([
  '//v1alpha2/jobs',
  '///v1alpha2//jobs?x=//a',
  'http://127.0.0.2:1/v1alpha2/jobs',
  '/v1alpha2/jobs/',
])('the caller cannot choose another place: %s', async (target) => {
  const answered = await ask(`GET ${target}`);
  // Whatever the router makes of it: if it is passed on, then to the leader.
  if (answered.status === 200) expect(heard).toHaveLength(1);
  else expect(answered.status).toBe(404);
});

const TROUBLES: [string, () => void, string][] = [
  ['nobody leads', () => (leader = undefined), 'NoLeader'],
  ['the Lease has our own name still', () => (leader = { ...leaderAt(1), identity: 'me' }), 'NoLeader'],
  [
    'the leader does not say where it is',
    () => (leader = { ...leaderAt(1), annotations: {} }),
    'LeaderUnreachable',
  ],
  [
    'its address is plain HTTP elsewhere',
    () => (leader = { ...leaderAt(1), annotations: { [ADDRESS_ANNOTATION]: 'http://10.0.0.1:8082' } }),
    'LeaderUnreachable',
  ],
  ['nothing listens there', () => (leader = leaderAt(1)), 'LeaderUnreachable'],
  ['it hangs up', () => (answer = (_request, response) => response.destroy()), 'LeaderUnreachable'],
  [
    'it is silent',
    () => {
      withinMs = 200;
      answer = () => undefined;
    },
    'LeaderTooSlow',
  ],
  ['another one leads meanwhile', () => (answer = () => (leader = leaderAt(1, 8))), 'LeaderChanged'],
];

test.each(TROUBLES)('503 and when to come back when %s', async (_what, arrange, code) => {
  arrange();
  const answered = await ask('GET /v1alpha2/jobs', 'Authorization: Bearer secret.token.here');
  expect(answered.json()).toMatchObject({ status: 503, code });
  expect(answered.headers['retry-after']).toBeDefined();
  expect(JSON.stringify(edge.log)).not.toContain('secret.token.here');
});

describe('what this replica knows something of as well', () => {
  beforeEach(() => {
    orItself = true;
  });

  test('is answered by the leader, which knows more', async () => {
    answer = (_request, response) => response.end('newer');
    expect(await ask('GET /v1alpha2/jobs')).toMatchObject({ status: 200, body: 'newer' });
  });

  test.each(TROUBLES)('is answered here when %s', async (_what, arrange) => {
    arrange();
    expect((await ask('GET /v1alpha2/jobs')).json()).toEqual({ answeredBy: 'this replica' });
  });

  test('and was sent with a body is answered here with all of it, or not at all', async () => {
    const body = '{"a":1}';
    const post = () =>
      edge.send(
        `POST /v1alpha2/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    answer = (_request, response) => response.destroy();
    expect((await post()).json()).toMatchObject({ status: 503, code: 'LeaderUnreachable' });
    leader = undefined;
    expect((await post()).json()).toEqual({ answeredBy: 'this replica', body: { a: 1 } });
  });

  test('is answered here where it is about nothing that is being deleted, if only that is the leader’s', async () => {
    ofGoing = true;
    answer = (_request, response) => response.end('newer');
    expect((await ask('GET /v1alpha2/jobs?gone=no')).json()).toEqual({ answeredBy: 'this replica' });
    expect(heard).toEqual([]);
    expect(await ask('GET /v1alpha2/jobs')).toMatchObject({ status: 200, body: 'newer' });
  });

  test('is not passed on twice, nor for a caller whom nobody knows', async () => {
    expect((await ask('GET /v1alpha2/jobs', `${HOP_HEADER}: other`)).status).toBe(200);
    known = () => Promise.reject(new AccessError(401, 'Who are you?', 'TokenInvalid'));
    expect(await ask('GET /v1alpha2/jobs')).toMatchObject({ status: 401 });
    expect(heard).toEqual([]);
  });
});

test('answers that go on are passed on as they come, and end with their caller', async () => {
  let ended = false;
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    response.on('close', () => (ended = true));
  };
  const stop = new AbortController();
  const response = await fetch(`http://127.0.0.1:${edge.port}/v1alpha2/jobs`, { signal: stop.signal });
  const reader = response.body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('data: 1\n\n');
  stop.abort();
  await vi.waitFor(() => expect(ended).toBe(true), { timeout: 30_000 });
});

test('an answer that breaks off is cut off, not ended as if it were whole', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half');
    setTimeout(() => response.destroy(), 20);
  };
  const response = await fetch(`http://127.0.0.1:${edge.port}/v1alpha2/jobs`);
  await expect(response.text()).rejects.toThrow();
  expect((await ask('GET /v1alpha2/instances')).status).toBe(200);
});
