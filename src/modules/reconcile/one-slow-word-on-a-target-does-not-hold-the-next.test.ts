import { reason, StateCode, type Action } from '@symphony/model';
import { expect, test } from 'vitest';
import { TargetHealth } from '../solution/index.js';
import type { ActionOutcome } from './execution.js';
import { tellHealth } from './tell-health.js';

/** Each word takes until nothing new comes any more; notes how many were under way at most, and what was said. */
class SlowBreakers extends TargetHealth {
  readonly said: string[] = [];
  most = 0;
  #underWay = 0;

  override suspected(targetUid: string, _reason: unknown, silentMs: number): Promise<number> {
    return this.#say(`suspected ${targetUid}`, silentMs + 100);
  }

  override failed(targetUid: string): Promise<number> {
    return this.#say(`failed ${targetUid}`, 700);
  }

  override async recovered(targetUid: string): Promise<void> {
    await this.#say(`recovered ${targetUid}`, 0);
  }

  override takeProbe(): Promise<boolean> {
    return Promise.reject(new Error('not asked here'));
  }

  async #say(what: string, answer: number): Promise<number> {
    this.said.push(what);
    this.most = Math.max(this.most, ++this.#underWay);
    await new Promise((resolve) => setImmediate(resolve));
    this.#underWay -= 1;
    return answer;
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

function outcome(id: string, targetUid: string, given: Partial<ActionOutcome>): [string, ActionOutcome] {
  const action = { id, targetUid } as Action;
  return [
    id,
    { action, state: 'unknown', reason: reason('Unknown'), stateCode: StateCode.Untouched, ...given },
  ];
}

test.each<[string, Parameters<typeof tellHealth>[3]['outcomes'], number]>([
  [
    'suspected',
    new Map(
      range(20).map((n) => outcome(`${n}`, `t${n}`, { reason: reason('TargetBusy'), silentMs: 100 + n })),
    ),
    200,
  ],
  [
    'failed',
    new Map(range(20).map((n) => outcome(`${n}`, `t${n}`, { reason: reason('ProviderTimeout') }))),
    700,
  ],
])('%s: several at once, each once, and the first retry counts', async (word, outcomes, firstMs) => {
  const health = new SlowBreakers();
  const run = {
    readable: new Set<string>(),
    troubled: new Map([['x', { reason: reason('Unknown'), retryMs: 9e3 }]]),
  };
  expect(await tellHealth(health, [], run, { outcomes })).toBe(firstMs);
  expect(health.said.toSorted()).toEqual(
    range(20)
      .map((n) => `${word} t${n}`)
      .toSorted(),
  );
  expect(health.most).toBe(4);
});

test('recovered: several at once, and only those that answered and were not well before', async () => {
  const health = new SlowBreakers();
  const unhealthy = range(20).map((n) => ({
    targetUid: `t${n}`,
    reason: reason('TargetUnavailable'),
    open: true,
    retryMs: 0,
  }));
  const run = {
    readable: new Set(range(12).map((n) => `t${n}`)),
    troubled: new Map([['t0', { reason: reason('ObservationFailed') }]]),
  };
  const outcomes = new Map([
    outcome('a', 't1', {}),
    outcome('b', 't15', { state: 'ok', reason: reason('Unfinished') }),
  ]);
  expect(await tellHealth(health, unhealthy, run, { outcomes })).toBeUndefined();
  const well = [...range(12).slice(2), 15];
  expect(health.said.toSorted()).toEqual(well.map((n) => `recovered t${n}`).toSorted());
  expect(health.most).toBe(4);
});

test('of one target, that it was silent is said before that it failed', async () => {
  const health = new SlowBreakers();
  const outcomes = new Map([
    outcome('a', 't', { reason: reason('ProviderTimeout') }),
    outcome('b', 't', { reason: reason('TargetBusy'), silentMs: 300 }),
  ]);
  const run = { readable: new Set<string>(), troubled: new Map() };
  expect(await tellHealth(health, [], run, { outcomes })).toBe(400);
  expect(health.said).toEqual(['suspected t', 'failed t']);
});
