import { UnavailableError } from '@symphony/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';
import { type Readiness, ReadinessRegistry } from './index.js';

let edge: EdgeApp;
let registry: ReadinessRegistry;
beforeAll(async () => {
  edge = await startEdgeApp([]);
  registry = edge.app.get(ReadinessRegistry);
});
afterAll(() => edge.close());

async function ready(): Promise<{ status: number; readiness: Readiness }> {
  const answer = await edge.send('GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n');
  return { status: answer.status, readiness: answer.json<Readiness>() };
}

test('ready when every check passes', async () => {
  const leave = registry.register('store', async () => undefined);
  const { status, readiness } = await ready();
  expect(status).toBe(200);
  expect(readiness).toMatchObject({ ready: true, checks: [{ name: 'store', ready: true }] });
  leave();
  expect((await ready()).readiness.checks).toEqual([]);
});

test('a check that passes may say more', async () => {
  const leave = registry.register('k8s', async () => ({ detail: 'engine-1 leads.' }));
  const { status, readiness } = await ready();
  expect(status).toBe(200);
  expect(readiness.checks).toEqual([
    { name: 'k8s', ready: true, detail: 'engine-1 leads.', durationMs: expect.any(Number) },
  ]);
  leave();
});

test('503 names each check that does not pass, and says no more than was meant for everybody', async () => {
  const leave = [
    registry.register('a', async () => 'Migrations are still running'),
    registry.register('b', () => Promise.reject(new UnavailableError('The store is away.'))),
    registry.register('c', () => Promise.reject(new Error('postgres://u:hunter2@db'))),
    registry.register('d', () => {
      throw new Error('at once');
    }),
    registry.register('e', async () => undefined),
  ];
  const { status, readiness } = await ready();
  expect(status).toBe(503);
  expect(Object.fromEntries(readiness.checks.map(({ name, reason }) => [name, reason]))).toEqual({
    a: 'Migrations are still running',
    b: 'The store is away.',
    c: 'The check failed; the log says why',
    d: 'The check failed; the log says why',
    e: undefined,
  });
  for (const leaveOne of leave) leaveOne();
});

test('a check that never answers is cut off and told so; meanwhile all callers share it', async () => {
  let calls = 0;
  let cut = false;
  const leave = registry.register('slow', (signal) => {
    calls += 1;
    signal.addEventListener('abort', () => (cut = true));
    return new Promise(() => undefined);
  });
  const answers = await Promise.all([ready(), ready(), ready()]);
  for (const { status, readiness } of answers) {
    expect(status).toBe(503);
    expect(readiness.checks[0]?.reason).toBe('No answer within 2 seconds');
  }
  expect([calls, cut]).toEqual([1, true]);
  leave();
});

test('two checks cannot share a name', () => {
  const leave = registry.register('x', async () => undefined);
  expect(() => registry.register('x', async () => undefined)).toThrow('already');
  leave();
});

test('alive is only that: checks do not count', async () => {
  const leave = registry.register('down', async () => 'down');
  expect((await edge.send('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')).status).toBe(200);
  leave();
});
