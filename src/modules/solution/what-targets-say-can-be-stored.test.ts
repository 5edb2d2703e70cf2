import type { ApplyResult } from '@symphony/provider-kit';
import { expect, test } from 'vitest';
import { CallFailure } from './provider-calls.js';
import { callFor, callsOf, siteOf } from './provider-calls.fixture.js';

const SAID = 'a\0b \ud83d!';
const STORED = 'a\ufffdb \ufffd!';

test('what a target reports, wherever the text is', async () => {
  const health = { status: 'unhealthy' as const, message: SAID };
  const { calls } = callsOf(() => ({
    get: () =>
      Promise.resolve([{ name: 'c', properties: { list: [{ [SAID]: SAID }], count: 1, ok: true }, health }]),
  }));
  expect(await calls.get(siteOf(), callFor([{ name: 'c' }]))).toEqual([
    {
      name: 'c',
      properties: { list: [{ [STORED]: STORED }], count: 1, ok: true },
      health: { status: 'unhealthy', message: STORED },
    },
  ]);
});

test('results, those told early and what is pending included', async () => {
  const pending: ApplyResult = { status: 8001, message: SAID, pending: { ticket: SAID } };
  const { calls } = callsOf(() => ({
    apply: ({ onResult }) => {
      onResult?.('early', pending);
      return Promise.resolve({ late: { status: 500, message: SAID } });
    },
  }));
  const told: unknown[] = [];
  const results = await calls.apply(siteOf(), {
    ...callFor([{ name: 'early' }, { name: 'late' }]),
    isFirst: true,
    onResult: (...args) => told.push(args),
  });
  expect(told).toEqual([['early', { status: 8001, message: STORED, pending: { ticket: STORED } }]]);
  expect(results).toEqual({ late: { status: 500, message: STORED } });
});

test('what it rejects with', async () => {
  const { calls } = callsOf(() => ({ get: () => Promise.reject(new Error(SAID)) }));
  const failure: unknown = await calls.get(siteOf(), callFor([])).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CallFailure);
  expect(failure).toMatchObject({
    reason: { code: 'ProviderFailed', message: expect.stringContaining(STORED) },
  });
});
