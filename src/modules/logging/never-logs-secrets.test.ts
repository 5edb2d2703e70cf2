import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogger, currentLogContext, NestLogger, withLogContext } from './index.js';

function collect(level: 'debug' | 'info' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    level,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  return { logger, nest: new NestLogger(logger), lines };
}

test('fields that are named like a secret are removed, at the top and below', () => {
  const { logger, lines } = collect();
  logger.info(
    { password: 'hunter2', headers: { authorization: 'Bearer hunter2' }, a: { b: { token: 'hunter2' } } },
    'x',
  );
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines[0]).toMatchObject({
    password: '***',
    headers: { authorization: '***' },
    level: 'info',
    msg: 'x',
  });
});

test('neither are those of a child logger or inside of lists, and what was logged is not changed by it', () => {
  const { logger, lines } = collect();
  const given = {
    list: [{ secret: 'hunter2', kept: 1 }, 'text'],
    none: null,
    deep: { a: { cookie: 'hunter2' } },
  };
  logger.child({ token: 'hunter2', name: 'child' }).info(given, 'x');
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines[0]).toMatchObject({
    token: '***',
    name: 'child',
    list: [{ secret: '***', kept: 1 }, 'text'],
    none: null,
    deep: { a: { cookie: '***' } },
  });
  expect(given.list[0]).toEqual({ secret: 'hunter2', kept: 1 });
});

test('an error is written with its causes, without the fields that drivers hang on it, and without passwords in URLs', () => {
  const { logger, lines } = collect();
  const cause = Object.assign(new Error('row'), { detail: 'Key (password)=(hunter2)', code: '23505' });
  logger.error({ err: new Error('no way to postgres://me:hunter2@db/x', { cause }) }, 'Run failed');
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines[0]).toMatchObject({
    err: {
      type: 'Error',
      message: 'no way to postgres://me:***@db/x',
      cause: { message: 'row', code: '23505' },
    },
  });
});

test('whatever is thrown can be written', () => {
  const { logger, lines } = collect();
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const chain = new Error('again');
  chain.cause = chain;
  for (const err of ['text', 7, null, undefined, loop, 10n, chain]) logger.error({ err }, 'odd');
  expect(lines).toHaveLength(7);
});

test('what is written inside a context carries its fields, across waits, and nobody else does', async () => {
  const { logger, lines } = collect();
  const work = (job: string) =>
    withLogContext({ job }, async () => {
      await delay(5);
      withLogContext({ epoch: 3 }, () => logger.info('inner'));
      return currentLogContext();
    });
  expect(await Promise.all([work('a'), work('b')])).toEqual([{ job: 'a' }, { job: 'b' }]);
  logger.info('outer');
  expect(lines.map(({ job, epoch }) => [job, epoch])).toEqual([
    ['a', 3],
    ['b', 3],
    [undefined, undefined],
  ]);
});

test("Nest's forms and ours come out as fields", () => {
  const { nest, lines } = collect();
  nest.log('plain', 'Queue');
  nest.log({ msg: 'Run ended', run: 'r1' }, 'Queue');
  nest.warn('Late', { seconds: 3 }, 'Queue');
  nest.error('Run failed', new Error('why'), 'Queue');
  nest.error('Run failed', 'Error: why\n    at f (x.js:1:1)', 'Queue');
  nest.error(new Error('alone'));
  nest.debug('not written', 'Queue');
  nest.log('Mapped {/x, GET} route', 'RouterExplorer');
  expect(lines).toHaveLength(6);
  expect(lines.map((line) => line.msg)).toEqual([
    'plain',
    'Run ended',
    'Late',
    'Run failed',
    'Run failed',
    'alone',
  ]);
  expect(lines[1]).toMatchObject({ run: 'r1', context: 'Queue' });
  expect(lines[2]).toMatchObject({ seconds: 3 });
  expect(lines[3]).toMatchObject({ err: { message: 'why' } });
  expect(lines[4]).toMatchObject({ stack: expect.stringContaining('at f') as string });
});
