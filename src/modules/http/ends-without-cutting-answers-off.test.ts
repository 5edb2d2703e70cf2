import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import { startEdgeApp } from '../../../test/support/edge-app.js';

/** Resolves when a request has reached its handler; `release` lets that one answer. */
const arrived = gate();
const release = gate();
const streaming = gate();

function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

@Controller()
class Slow {
  @Get('slow')
  async slow(): Promise<object> {
    arrived.resolve();
    await release.promise;
    return { done: true };
  }

  @Get('stream')
  stream(@Res() reply: FastifyReply): void {
    reply.hijack();
    reply.raw.setHeader('content-type', 'text/event-stream');
    reply.raw.write('data: 1\n\n');
    streaming.resolve();
  }
}

test('an answer under way is finished, an event stream does not hold the end up', async () => {
  const edge = await startEdgeApp([Slow]);
  const stream = edge.send('GET /stream HTTP/1.1\r\nHost: h\r\n\r\n');
  const slow = edge.send('GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await Promise.all([arrived.promise, streaming.promise]);
  const started = performance.now();
  const closed = edge.close();
  const health = () => edge.send('GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  let answer = await health();
  while (answer.status === 200) answer = await health();
  expect([answer.status, answer.json().code, answer.headers['retry-after']]).toEqual([503, 'Ending', '2']);
  release.resolve();
  expect((await slow).json()).toEqual({ done: true });
  await closed;
  expect((await stream).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(4000);
});
