import { describe, expect, test } from 'vitest';
import type { FanOut } from '../../../src/modules/queue/index.js';
import { outcomeOf, type Bench } from './subject.js';

const APP = { namespace: 'default', name: 'app' };

export function fanOutsConformance(bench: () => Bench): void {
  const depend = (names: readonly string[], solution = APP) =>
    bench().subject.dependOn(
      solution,
      names.map((name) => ({ name, generation: 4 })),
    );
  const fanOut = (part: Partial<FanOut> = {}) =>
    bench().subject.fanOut({ kind: 'Solution', uid: 'u', ...APP, ...part });
  const expand = async (pageSize = 500): Promise<number> => {
    let pages = 0;
    while (await bench().store.expandFanOuts(pageSize)) pages++;
    return pages;
  };
  const ordered = async (): Promise<string[]> => {
    const claims = await bench().claim(1_000);
    expect(claims.every((claim) => claim.cause === 'dependent' && claim.action === 'update')).toBe(true);
    return claims.map((claim) => claim.name).toSorted();
  };
  const names = Array.from({ length: 25 }, (_, i) => `n${String(i).padStart(2, '0')}`);

  describe('expandFanOuts', () => {
    test('nothing waits', async () => {
      expect(await bench().store.expandFanOuts(10)).toBe(false);
    });

    test('orders those that depend, with their generation, and nobody else', async () => {
      await depend(['a']);
      await depend(['b'], { namespace: 'default', name: 'other' });
      await depend(['c'], { namespace: 'elsewhere', name: 'app' });
      await fanOut();
      await expand();
      expect(await bench().claim()).toMatchObject([
        { name: 'a', namespace: 'default', generation: 4, cause: 'dependent' },
      ]);
    });

    test('goes page by page and orders nobody twice', async () => {
      await depend(names);
      await fanOut();
      expect(await bench().store.expandFanOuts(10)).toBe(true);
      const claims = await bench().claim(100);
      expect(claims.map((claim) => claim.name).toSorted()).toEqual(names.slice(0, 10));
      for (const claim of claims) await bench().store.complete(claim, outcomeOf());
      await expand(10);
      expect(await ordered()).toEqual(names.slice(10));
      expect(await bench().store.expandFanOuts(10)).toBe(false);
    });

    test('a burst of writes orders the dependents once', async () => {
      await depend(names);
      for (let i = 0; i < 20; i++) await fanOut();
      expect(await expand(10)).toBe(3);
      expect(await ordered()).toEqual(names);
    });

    test('a write that comes while its predecessor is being expanded is expanded too', async () => {
      await depend(names);
      await fanOut();
      await bench().store.expandFanOuts(10);
      for (const claim of await bench().claim(100)) await bench().store.complete(claim, outcomeOf());
      await fanOut();
      await expand(10);
      expect(await ordered()).toEqual(names);
    });

    test('fan-outs of several objects are all expanded', async () => {
      await depend(['a', 'b']);
      await depend(['c'], { namespace: 'default', name: 'other' });
      await fanOut();
      await fanOut({ name: 'other', uid: 'v' });
      await fanOut({ name: 'nobody-depends-on-it', uid: 'w' });
      await expand();
      expect(await ordered()).toEqual(['a', 'b', 'c']);
    });
  });
}
