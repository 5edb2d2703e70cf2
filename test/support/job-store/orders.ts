import { ConflictError, InvalidInputError } from '@symphony/model';
import { describe, expect, test } from 'vitest';
import type { Cause, LaneAction } from '../../../src/modules/queue/index.js';
import { HOUR_MS, keyOf, orderOf, outcomeOf, recordedOutcome, type Bench } from './subject.js';

interface Order {
  generation?: number;
  action?: LaneAction;
  cause?: Cause;
  actor?: string;
  delayMs?: number;
}
const FOLDS: { name: string; first: Order; second: Order; claim: object | undefined }[] = [
  {
    name: 'the newest generation wins, whichever comes first',
    first: { generation: 7 },
    second: { generation: 3 },
    claim: { generation: 7 },
  },
  {
    name: 'delete beats a later update',
    first: { generation: 2, action: 'delete' },
    second: { generation: 2, cause: 'dependent' },
    claim: { generation: 2, action: 'delete', cause: 'person' },
  },
  {
    name: 'delete beats an earlier update',
    first: {},
    second: { generation: 2, action: 'delete' },
    claim: { generation: 2, action: 'delete' },
  },
  {
    name: 'the most urgent cause wins, with its actor',
    first: { cause: 'retry' },
    second: { cause: 'person', actor: 'ada' },
    claim: { cause: 'person', actor: 'ada' },
  },
  {
    name: 'a less urgent cause does not take over, nor does its actor',
    first: { cause: 'person', actor: 'ada' },
    second: { cause: 'dependent', actor: 'eve' },
    claim: { cause: 'person', actor: 'ada' },
  },
  {
    name: 'the earlier due time wins: delayed, then now',
    first: { delayMs: HOUR_MS },
    second: {},
    claim: { cause: 'person' },
  },
  {
    name: 'the earlier due time wins: now, then delayed',
    first: {},
    second: { delayMs: HOUR_MS, cause: 'periodic' },
    claim: { cause: 'person' },
  },
  {
    name: 'a delayed order waits',
    first: { delayMs: HOUR_MS },
    second: { delayMs: 2 * HOUR_MS },
    claim: undefined,
  },
];

export function ordersConformance(bench: () => Bench): void {
  describe('order', () => {
    test('many orders are one run, which covers the newest', async () => {
      for (let generation = 1; generation <= 5; generation++) await bench().order({ name: 'a', generation });
      expect(await bench().claimOne()).toMatchObject({ name: 'a', generation: 5, action: 'update' });
      expect(await bench().claim()).toEqual([]);
    });

    test.for(FOLDS)('$name', async ({ first, second, claim }) => {
      await bench().order({ name: 'a', ...first });
      await bench().order({ name: 'a', ...second });
      expect(await bench().claim()).toMatchObject(claim ? [claim] : []);
    });

    test('orders of one batch for one lane fold as well', async () => {
      await bench().order(
        { name: 'a', generation: 2, action: 'delete', cause: 'dependent', actor: 'eve' },
        { name: 'a', generation: 1, cause: 'person', actor: 'ada', delayMs: HOUR_MS },
      );
      expect(await bench().claim()).toMatchObject([
        { generation: 2, action: 'delete', cause: 'person', actor: 'ada' },
      ]);
    });

    test('a delayed order is due when its time has come', async () => {
      await bench().order({ name: 'a', delayMs: 600_000 });
      await bench().subject.pass(590_000);
      expect(await bench().claim()).toEqual([]);
      await bench().subject.pass(10_001);
      expect(await bench().claim()).toHaveLength(1);
    });

    test('an object that does not exist gets no lane; one that went keeps the lane that it has', async () => {
      await bench().store.order([orderOf({ name: 'never' })]);
      await bench().order({ name: 'gone' });
      await bench().subject.vanish(keyOf('gone'));
      await bench().store.order([orderOf({ name: 'gone', generation: 2 })]);
      expect(await bench().store.list({ limit: 9 })).toMatchObject({
        items: [{ name: 'gone', generation: 2 }],
      });
    });

    test('objects of the same name in another namespace, or of another kind, have lanes of their own', async () => {
      await bench().order({ name: 'a' }, { name: 'a', namespace: 'b' }, { name: 'a', kind: 'Target' });
      expect(await bench().claim()).toHaveLength(3);
    });

    test('an order during a run waits for its end, supersedes it, and runs at once then', async () => {
      await bench().order({ name: 'a', cause: 'periodic' });
      const claim = await bench().claimOne();
      await bench().order({ name: 'a', generation: 2, cause: 'dependent' });
      expect(await bench().claim()).toEqual([]);
      expect((await bench().store.heartbeat('worker-1', HOUR_MS)).superseded).toEqual([claim.fence]);
      const result = await bench().store.complete(claim, outcomeOf({ nextRunMs: HOUR_MS }));
      expect(result).toEqual({ fenced: false, again: true });
      expect(await bench().claimOne()).toMatchObject({ generation: 2, cause: 'dependent', attempts: 0 });
    });

    test('an order ends the backoff of a failing lane, also when it came during the failing run', async () => {
      await bench().run('a', outcomeOf({ result: 'retry', retryAfterMs: HOUR_MS }, 'ProviderFailed'));
      expect(await bench().claim()).toEqual([]);
      await bench().order({ name: 'a', cause: 'dependent' });
      const second = await bench().claimOne();
      expect(second).toMatchObject({ cause: 'dependent', attempts: 0 });
      await bench().order({ name: 'a' });
      await bench().store.complete(second, outcomeOf({ result: 'retry' }, 'ProviderFailed'));
      expect(await bench().claimOne()).toMatchObject({ cause: 'person', attempts: 0 });
    });

    test('a person goes before the periodic run that waits in the same lane', async () => {
      await bench().run('a', outcomeOf({ nextRunMs: HOUR_MS, deploymentHash: 'h' }));
      await bench().order({ name: 'a', actor: 'ada' });
      expect(await bench().claimOne()).toMatchObject({ cause: 'person', actor: 'ada', lastHash: 'h' });
    });
  });

  describe('orderInline', () => {
    test('the claim has the newest deployment that was posted, with its own generation and action', async () => {
      await bench().post('p', '1', { generation: 9, action: 'delete' }, { v: 1 });
      const payload = { deployment: { v: 2 }, jobId: '2', activeTarget: 't' };
      await bench().store.orderInline({ ...orderOf({ name: 'p', generation: 3 }), payload });
      expect(await bench().claimOne()).toMatchObject({ generation: 3, action: 'update', payload });
    });

    test('what the sender does to its deployment afterwards changes nothing', async () => {
      const deployment = { components: ['web'] };
      await bench().post('p', '1', {}, deployment);
      deployment.components.push('intruder');
      expect((await bench().claimOne()).payload?.deployment).toEqual({ components: ['web'] });
    });

    test('a stored object keeps its lane: 409, and nothing is ordered', async () => {
      await bench().subject.exist([keyOf('stored')]);
      await expect(bench().post('stored', '1')).rejects.toThrow(ConflictError);
      expect(await bench().claim()).toEqual([]);
    });

    test.for([
      ['5', '4', false],
      ['5', '5', true],
      ['9', '10', true],
      ['5', 'six', false],
      ['', '1', true],
      ['5', '', true],
    ] as const)('after job id "%s", "%s" is taken: %s', async ([before, after, taken]) => {
      await bench().post('p', before, {}, 'first');
      if (taken) await bench().post('p', after, {}, 'second');
      else await expect(bench().post('p', after, {}, 'second')).rejects.toThrow(InvalidInputError);
      expect((await bench().claimOne()).payload?.deployment).toBe(taken ? 'second' : 'first');
    });

    test('the job id counts beyond the run', async () => {
      await bench().post('p', '5');
      await bench().store.complete(await bench().claimOne(), outcomeOf());
      await expect(bench().post('p', '4')).rejects.toThrow(InvalidInputError);
    });

    test('its number tells when it has run', async () => {
      const first = await bench().post('p', '1');
      const claim = await bench().claimOne();
      const second = await bench().post('p', '2');
      expect(await bench().store.isDone(keyOf('p'), first)).toBe(false);
      await bench().store.complete(claim, outcomeOf());
      expect(await bench().store.isDone(keyOf('p'), first)).toBe(true);
      expect(await bench().store.isDone(keyOf('p'), second)).toBe(false);
      await bench().store.complete(
        await bench().claimOne(),
        recordedOutcome({ result: 'retry' }, 'ProviderFailed'),
      );
      expect(await bench().store.isDone(keyOf('p'), second)).toBe(true);
    });

    test('it has not run when its run broke off without a summary: that of the run before is no answer', async () => {
      await bench().post('p', '1');
      await bench().store.complete(await bench().claimOne(), recordedOutcome());
      const seq = await bench().post('p', '2');
      const brokenOff = outcomeOf({ result: 'retry' }, 'StoreUnavailable');
      await bench().store.complete(await bench().claimOne(), brokenOff);
      expect(await bench().store.isDone(keyOf('p'), seq)).toBe(false);
      expect(await bench().store.find(keyOf('p'))).toMatchObject({ attempts: 1, reason: 'StoreUnavailable' });

      await bench().subject.pass(HOUR_MS);
      const again = await bench().claimOne();
      expect(again).toMatchObject({ cause: 'retry', attempts: 1, payload: { jobId: '2' } });
      await bench().store.complete(again, recordedOutcome());
      expect(await bench().store.isDone(keyOf('p'), seq)).toBe(true);
    });

    test('an object that is stored under the name later takes the lane over, without the deployment', async () => {
      await bench().post('p', '1', { generation: 7, action: 'delete' });
      await bench().order({ name: 'p', generation: 1 });
      const claim = await bench().claimOne();
      expect(claim).toMatchObject({ generation: 1, action: 'update' });
      expect(claim.payload).toBeUndefined();
    });
  });

  describe('wake-ups', () => {
    test('an order tells those who listen which lanes it is about, until they stop', async () => {
      const heard: string[] = [];
      const stop = bench().store.onWake(({ lanes }) => heard.push(...lanes.map((lane) => lane.name)));
      await bench().order({ name: 'a' }, { name: 'b' });
      await bench().post('p', '1');
      stop();
      await bench().order({ name: 'c' });
      expect(heard).toEqual(['a', 'b', 'p']);
    });

    test('an order is told of with its number, by which a run knows whether it covers it', async () => {
      const heard: (string | undefined)[] = [];
      const stop = bench().store.onWake(({ lanes }) => heard.push(...lanes.map(({ seq }) => seq)));
      await bench().order({ name: 'a' });
      const { seq } = await bench().claimOne();
      await bench().order({ name: 'a' });
      await bench().post('p', '1');
      const posted = await bench().claimOne();
      stop();
      expect(heard).toEqual([seq, expect.any(String), posted.seq]);
      expect(Number(heard[1])).toBeGreaterThan(Number(seq));
    });

    test('a listener that throws hurts nobody', async () => {
      const heard: unknown[] = [];
      const stops = [
        bench().store.onWake(() => {
          throw new Error('a bug');
        }),
        bench().store.onWake((hint) => heard.push(hint)),
      ];
      await bench().order({ name: 'a' });
      for (const stop of stops) stop();
      expect(heard).toHaveLength(1);
    });

    test('the end of a posted deployment wakes who waits for it', async () => {
      await bench().post('p', '1');
      const claim = await bench().claimOne();
      const began = performance.now();
      const finished = bench().subject.waker.nextFinished(30_000);
      await bench().store.complete(claim, outcomeOf());
      await finished;
      expect(performance.now() - began).toBeLessThan(10_000);
    });

    test('the wait for it ends with its time', async () => {
      await bench().subject.waker.nextFinished(5);
    });
  });
}
