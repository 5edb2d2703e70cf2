import { Controller, ForbiddenException, Get, HttpException, UnauthorizedException } from '@nestjs/common';
import { AccessError, ConflictError, InvalidInputError, UnavailableError } from '@symphony/model';
import { IsInt, validateSync } from 'class-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';

class Shape {
  @IsInt({ message: 'must be a whole number' })
  size: unknown = 'x';
}

const THROWN: Record<string, () => unknown> = {
  conflict: () => new ConflictError('Somebody else was faster.', 'EtagMismatch'),
  input: () => new InvalidInputError('No.', [{ path: 'spec.a', message: 'must be text' }]),
  unavailable: () => new UnavailableError('Later.', 'StoreDown'),
  token: () => new AccessError(401, 'Who are you?'),
  nest401: () => new UnauthorizedException(),
  nest403: () => new ForbiddenException('Not you'),
  teapot: () => new HttpException('short and stout', 418),
  rules: () => validateSync(new Shape()),
  internal: () => new Error('connection to postgres://u:hunter2@db failed'),
  nest500: () => new HttpException('internals', 500),
  gone: () => Object.assign(new Error('terminating connection'), { code: '57P01' }),
  text: () => 'a text',
  nothing: () => undefined,
};

@Controller('throw')
class Throws {
  @Get(':what')
  get(): never {
    throw new Error('replaced below');
  }
}
for (const [name, make] of Object.entries(THROWN)) {
  const method = (): never => {
    // Whatever is thrown must be answered, errors or not.
    // oxlint-disable-next-line typescript/only-throw-error
    throw make();
  };
  Object.defineProperty(Throws.prototype, name, { value: method, writable: true, configurable: true });
  Get(name)(
    Throws.prototype,
    name,
    Object.getOwnPropertyDescriptor(Throws.prototype, name) as PropertyDescriptor,
  );
}

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([Throws]);
});
afterAll(() => edge.close());

const ask = (what: string, headers = '') =>
  edge.send(`GET /throw/${what} HTTP/1.1\r\nHost: h\r\n${headers}Connection: close\r\n\r\n`);

test.each<[string, number, string, string]>([
  ['conflict', 409, 'EtagMismatch', 'Somebody else was faster.'],
  ['input', 400, 'InvalidInput', 'No.'],
  ['unavailable', 503, 'StoreDown', 'Later.'],
  ['token', 401, 'Unauthenticated', 'Who are you?'],
  ['nest401', 401, 'Unauthenticated', 'Unauthorized'],
  ['nest403', 403, 'Forbidden', 'Not you'],
  ['teapot', 418, 'RequestRefused', 'short and stout'],
  ['rules', 400, 'InvalidInput', 'The body breaks rules; see problems.'],
  ['gone', 503, 'DatabaseUnavailable', 'The database does not answer: try again soon.'],
])('%s is %i %s', async (what, status, code, detail) => {
  const answer = await ask(what);
  expect(answer.json()).toMatchObject({ status, code, detail, type: `urn:symphony:error:${code}` });
  expect(answer.status).toBe(status);
  expect(answer.headers['retry-after']).toBe(status === 503 ? '2' : undefined);
  expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
});

test('the problems of a body are listed by path', async () => {
  expect((await ask('input')).json().problems).toEqual([{ path: 'spec.a', message: 'must be text' }]);
  expect((await ask('rules')).json().problems).toEqual([{ path: 'size', message: 'must be a whole number' }]);
});

test.each(['internal', 'nest500', 'text', 'nothing'])(
  '%s is 500 without internals, and the log has its id',
  async (what) => {
    const answer = await ask(what);
    expect(answer.status).toBe(500);
    const { code, instance, detail } = answer.json<Record<string, string>>();
    const id = instance?.replace('urn:uuid:', '');
    expect(code).toBe('InternalError');
    expect(detail).toBe(`The engine failed; its log says why, under request id ${id}.`);
    expect(answer.headers['x-request-id']).toBe(id);
    const lines = edge.log.filter((line) => line.requestId === id && line.level === 'error');
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    if (what === 'internal')
      expect(lines[0]).toMatchObject({ err: { stack: expect.stringContaining('at ') as string } });
  },
);

test('every answer carries the headers that keep browsers from guessing', async () => {
  for (const answer of [
    await ask('conflict'),
    await ask('%'),
    await edge.send('GET /docs HTTP/1.1\r\nHost: h\r\n\r\n'),
  ]) {
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  }
});

test("the caller's trace and correlation id are in the log and, the latter, in the answer", async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const answer = await ask(
    'internal',
    `traceparent: 00-${trace}-b7ad6b7169203331-01\r\nX-Activity-correlationId: order-7\r\n`,
  );
  expect(answer.headers['x-activity-correlationid']).toBe('order-7');
  const id = answer.headers['x-request-id'];
  const lines = edge.log.filter((line) => line.requestId === id);
  expect(lines.map((line) => line.msg)).toContain('Request');
  for (const line of lines) expect(line).toMatchObject({ traceId: trace });
  expect(lines.find((line) => line.level === 'error')).toMatchObject({ correlationId: 'order-7' });
});

test('a trace id that breaks the rules, or a correlation id that could forge a line, is not taken', async () => {
  const answer = await ask(
    'conflict',
    'traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\nX-Activity-correlationId: a b"c\r\n',
  );
  expect(answer.headers['x-activity-correlationid']).toBeUndefined();
  const [line] = edge.log.filter((entry) => entry.requestId === answer.headers['x-request-id']);
  expect(line?.traceId).toBe(answer.headers['x-request-id']?.replaceAll('-', ''));
});
