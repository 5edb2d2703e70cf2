import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { UnavailableError } from '@symphony/model';
import { expect, test } from 'vitest';
import { startEdgeApp } from '../../test/support/edge-app.js';
import { ConfigError } from '../config/errors.js';
import { explainStartError } from './start-errors.js';

const explain = (error: unknown, host = '127.0.0.1', port = 8082) => explainStartError(error, { host, port });

test('a port in use', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const edge = await startEdgeApp([]);
  await edge.close();
  const { createHttpAdapter } = await import('../modules/http/index.js');
  const { createLogger } = await import('../modules/logging/index.js');
  const adapter = createHttpAdapter({ bodyLimitBytes: 1024, logger: createLogger({ level: 'fatal' }) });
  const error: unknown = await adapter
    .getInstance()
    .listen({ port, host: '127.0.0.1' })
    .catch((reason: unknown) => reason);
  expect(explain(error, '127.0.0.1', port)).toEqual({
    sentence: `Port ${port} on 127.0.0.1 is in use by another process: stop that process, or choose another port with --port.`,
    exitCode: 1,
    unforeseen: false,
  });
  taken.close();
});

test('an address of another machine, and one that is none', async () => {
  for (const [host, sentence] of [
    ['192.0.2.1', '192.0.2.1 is not an address of this machine: choose one with --host.'],
    [
      'no-such-host.invalid',
      'The host name no-such-host.invalid cannot be resolved: give an address of this machine with --host.',
    ],
  ] as const) {
    const error = await new Promise((resolve) => createServer().once('error', resolve).listen(0, host));
    expect(explain(error, host).sentence).toBe(sentence);
  }
});

test('errors that were foreseen speak for themselves, others keep to one line and go to the log', () => {
  expect(explain(new ConfigError('Wrong.'))).toEqual({ sentence: 'Wrong.', exitCode: 2, unforeseen: false });
  expect(explain(new UnavailableError('No database.'))).toEqual({
    sentence: 'No database.',
    exitCode: 1,
    unforeseen: false,
  });
  expect(explain(new Error('boom\n  detail'))).toEqual({
    sentence: 'The engine could not start: boom',
    exitCode: 1,
    unforeseen: true,
  });
});
