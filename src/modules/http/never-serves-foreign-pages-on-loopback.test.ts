import { Controller, Get, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';

@Controller('things')
class Things {
  @Get()
  list(): object {
    return { open: true };
  }

  @Post()
  add(): object {
    return { added: true };
  }
}

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([Things], {
    allowedHosts: ['127.0.0.1', 'Engine.test', '[fd00::1]'],
    corsOrigins: ['https://portal.test'],
  });
});
afterAll(() => edge.close());

const ask = (first: string, headers: Record<string, string>) =>
  edge.send(
    `${first} HTTP/1.1\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}Connection: close\r\n\r\n`,
  );

describe('a host name', () => {
  test.each([
    'localhost',
    'localhost:8082',
    'LOCALHOST.:8082',
    '127.0.0.1:1',
    '[::1]:8082',
    'engine.test:8082',
    'ENGINE.TEST',
    '[FD00::1]',
  ])('%s is ours', async (host) => {
    expect((await ask('GET /things', { Host: host })).status).toBe(200);
  });

  test.each([
    'evil.test',
    'localhost.evil.test',
    'evil-localhost',
    'evil.test:8082',
    '127.0.0.1.evil.test',
    'evil.test#localhost',
    'localhost.evil.test',
    'evil-localhost',
    '[::2]',
    ':8082',
    'localhost:8082:evil.test',
    '0.0.0.0',
  ])('%s is foreign: 421, on every route, known or not', async (host) => {
    for (const path of [
      '/things',
      '/docs',
      '/docs/swagger-ui.css',
      '/openapi.json',
      '/healthz',
      '/nowhere',
    ]) {
      const answer = await ask(`GET ${path}`, { Host: host });
      expect([path, answer.status]).toEqual([path, 421]);
      expect(answer.json()).toMatchObject({ code: 'ForeignHost' });
    }
    expect((await ask('OPTIONS /things', { Host: host })).status).toBe(421);
  });
});

describe('an origin', () => {
  test.each(['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:8082', 'https://portal.test'])(
    '%s may call',
    async (origin) => {
      expect((await ask('POST /things', { Host: 'localhost', Origin: origin })).status).toBe(201);
    },
  );

  test.each([
    'http://evil.test',
    'null',
    'https://portal.test.evil.test',
    'http://portal.test',
    'x',
    'file://',
  ])('%s may not: 403, also for the description', async (origin) => {
    for (const first of [
      'POST /things',
      'GET /things',
      'GET /docs',
      'GET /openapi.json',
      'OPTIONS /things',
    ]) {
      const answer = await ask(first, { Host: 'localhost', Origin: origin });
      expect([first, answer.status]).toEqual([first, 403]);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('the sentence says what to do, and quotes no more than it must', async () => {
    const answer = await ask('GET /things', { Host: 'localhost', Origin: `http://${'x'.repeat(500)}.test` });
    const { detail } = answer.json<{ detail: string }>();
    expect(detail).toContain('http.corsOrigins');
    expect(detail.length).toBeLessThan(300);
  });
});

test('on an address that others can reach any name will do: there is a password', async () => {
  const open = await startEdgeApp([Things]);
  const answer = await open.send('GET /things HTTP/1.1\r\nHost: any.test\r\nOrigin: http://any.test\r\n\r\n');
  expect(answer.status).toBe(200);
  expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  await open.close();
});

describe('pages of a listed origin', () => {
  const portal = { Host: 'localhost', Origin: 'https://portal.test' };

  test('may ask first, and are told what the path knows', async () => {
    const answer = await ask('OPTIONS /things', { ...portal, 'Access-Control-Request-Method': 'POST' });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://portal.test',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS, POST',
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    expect(answer.headers['access-control-allow-headers']).toContain('authorization');
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test('may read answers and errors', async () => {
    for (const [first, status] of [
      ['GET /things', 200],
      ['GET /nowhere', 404],
      ['DELETE /things', 405],
    ] as const) {
      const answer = await ask(first, portal);
      expect(answer.status).toBe(status);
      expect(answer.headers['access-control-allow-origin']).toBe('https://portal.test');
      expect(answer.headers['access-control-expose-headers']).toContain('etag');
    }
  });

  test('others get no such header, and no cache can mix them up', async () => {
    const answer = await ask('GET /things', { Host: 'localhost', Origin: 'http://localhost:3000' });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    expect(answer.headers.vary).toBe('Origin');
  });
});
