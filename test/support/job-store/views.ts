import { InvalidInputError } from '@symphony/model';
import { describe, expect, test } from 'vitest';
import type { LaneQuery, LaneView } from '../../../src/modules/queue/index.js';
import { HOUR_MS, keyOf, outcomeOf, WORKER, type Bench } from './subject.js';

export function viewsConformance(bench: () => Bench): void {
  const all = async (query: Partial<LaneQuery> = {}, limit = 2): Promise<LaneView[]> => {
    const items: LaneView[] = [];
    let token: string | undefined;
    do {
      const page = await bench().store.list({ ...query, limit, ...(token ? { continue: token } : {}) });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      items.push(...page.items);
      token = page.next;
    } while (token);
    return items;
  };
  const texts = (views: readonly LaneView[]) =>
    views.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`);

  describe('find and list', () => {
    test('what there is not is not found', async () => {
      expect(await bench().store.find(keyOf('a'))).toBeUndefined();
      expect(await bench().store.list({ limit: 5 })).toEqual({ items: [] });
    });

    test('a lane through its life', async () => {
      await bench().order({ name: 'a', generation: 3, action: 'delete', delayMs: 60_000 });
      const waiting = await bench().store.find(keyOf('a'));
      expect(waiting).toMatchObject({
        state: 'waiting',
        generation: 3,
        action: 'delete',
        cause: 'person',
        attempts: 0,
      });
      const dueInMs = await bench().dueInMs('a');
      expect(dueInMs).toBeGreaterThan(50_000);
      expect(dueInMs).toBeLessThan(61_000);
      expect([waiting?.worker, waiting?.runningSince, waiting?.reason]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);

      await bench().subject.pass(60_001);
      const claim = await bench().claimOne();
      const running = await bench().store.find(keyOf('a'));
      expect(running).toMatchObject({
        state: 'running',
        worker: WORKER,
        cause: 'person',
        id: claim.fence.laneId,
      });
      expect(Math.abs(Date.parse(running?.runningSince ?? '') - Date.now())).toBeLessThan(10_000);
      expect(running?.dueAt).toBeUndefined();
      expect(running?.orderSeq).toBe(claim.seq);
      expect(Number(running?.doneSeq)).toBeLessThan(Number(running?.orderSeq));

      await bench().store.complete(
        claim,
        outcomeOf({ reason: { code: 'UpToDate', message: 'x'.repeat(3_000) } }),
      );
      const idle = await bench().store.find(keyOf('a'));
      expect(idle).toMatchObject({ state: 'idle', reason: 'UpToDate', message: `${'x'.repeat(999)}…` });
      expect([idle?.cause, idle?.dueAt, idle?.worker]).toEqual([undefined, undefined, undefined]);
      expect(idle?.doneSeq).toBe(idle?.orderSeq);
    });

    test('pages go by kind, namespace and name, each lane once, whatever comes and goes meanwhile', async () => {
      await bench().order(
        { name: 'b' },
        { name: 'a' },
        { name: 'a', namespace: 'other' },
        { name: 'z', kind: 'Target' },
        { name: 'a', kind: 'Target', namespace: 'a' },
      );
      const sorted = [
        'Instance/default/a',
        'Instance/default/b',
        'Instance/other/a',
        'Target/a/a',
        'Target/default/z',
      ];
      expect(texts(await all())).toEqual(sorted);
      const first = await bench().store.list({ limit: 3 });
      await bench().order({ name: 'aa' }, { name: 'b', kind: 'Target', namespace: 'a' });
      const second = await bench().store.list({ limit: 9, continue: first.next });
      expect(texts([...first.items, ...second.items])).toEqual(sorted.toSpliced(4, 0, 'Target/a/b'));
      expect(second.next).toBeUndefined();
    });

    test('a page that ends with the last lane has no next one', async () => {
      await bench().order({ name: 'a' }, { name: 'b' });
      expect((await bench().store.list({ limit: 2 })).next).toBeUndefined();
    });

    test('filters by kind, namespace and state', async () => {
      await bench().run('idle', outcomeOf({ nextRunMs: HOUR_MS }));
      await bench().run('stalled', outcomeOf({ result: 'waiting' }, 'SolutionNotFound'));
      await bench().run('retry', outcomeOf({ result: 'retry', retryAfterMs: HOUR_MS }, 'ProviderFailed'));
      await bench().order({ name: 'running' });
      await bench().claimOne();
      await bench().order(
        { name: 'late', delayMs: HOUR_MS },
        { name: 't', kind: 'Target', namespace: 'other' },
      );
      const names = async (query: Partial<LaneQuery>) => (await all(query)).map((view) => view.name);
      expect(await names({ state: 'idle' })).toEqual(['idle']);
      expect(await names({ state: 'stalled' })).toEqual(['stalled']);
      expect(await names({ state: 'waiting' })).toEqual(['late', 'retry', 't']);
      expect(await names({ state: 'running' })).toEqual(['running']);
      expect(await names({ kind: 'Target' })).toEqual(['t']);
      expect(await names({ namespace: 'other' })).toEqual(['t']);
      expect(await names({ kind: 'Target', namespace: 'default' })).toEqual([]);
    });

    test.for([
      'nonsense',
      Buffer.from('["a"]').toString('base64url'),
      Buffer.from('[1,2,3]').toString('base64url'),
    ])('a token that no list answered with is refused: %s', async (token) => {
      await expect(bench().store.list({ limit: 5, continue: token })).rejects.toThrow(InvalidInputError);
    });
  });
}
