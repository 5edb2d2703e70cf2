import type { ComponentSpec } from '@symphony/model';
import { expect, test } from 'vitest';
import { callFor, callsOf, siteOf } from './provider-calls.fixture.js';
import { ProviderCache } from './provider-cache.js';

const MANY = 600;

test('a call that hangs outlives the calls with hundreds of other configurations, which are closed', async () => {
  const closed: string[] = [];
  let answer: (found: ComponentSpec[]) => void = () => undefined;
  const { calls } = callsOf(({ id = '' }) => {
    let cut: (error: Error) => void = () => undefined;
    return {
      get: () =>
        id === 'hangs'
          ? new Promise((resolve, reject) => {
              answer = resolve;
              cut = reject;
            })
          : Promise.resolve([]),
      close: () => {
        closed.push(id);
        cut(new Error('The client is destroyed'));
        return Promise.resolve();
      },
    };
  });
  const hanging = calls.get(siteOf({ id: 'hangs' }), callFor([], 'hangs'));
  for (let i = 0; i < MANY; i++) await calls.get(siteOf({ id: `${i}` }), callFor([], `t${i}`));
  expect(closed).not.toContain('hangs');
  expect(closed.length).toBeGreaterThan(50);
  answer([{ name: 'still there' }]);
  expect(await hanging).toEqual([{ name: 'still there' }]);

  // Nobody uses it any more: it goes as the others do, when its turn comes.
  for (let i = 0; i < MANY; i++) await calls.get(siteOf({ id: `again ${i}` }), callFor([], `t${i}`));
  expect(closed).toContain('hangs');
  await calls.close();
  expect(new Set(closed).size).toBe(closed.length);
  expect(closed).toHaveLength(2 * MANY + 1);
});

test('one that is used twice stays until it was given back twice; giving it back again changes nothing', async () => {
  const cache = new ProviderCache(1);
  const open = new Set<string>();
  const create = (key: string) => () => {
    open.add(key);
    const close = (): Promise<void> => {
      open.delete(key);
      return Promise.resolve();
    };
    const nothing = (): Promise<never> => Promise.reject(new Error('nobody calls it'));
    return { rule: {}, get: nothing, apply: nothing, close };
  };
  const first = cache.lease('a', create('a'));
  const second = cache.lease('a', create('another a'));
  expect(second.provider).toBe(first.provider);
  first.release();
  first.release();
  cache.peek('b', create('b'));
  expect([...open]).toEqual(['a', 'b']);
  second.release();
  // The one that was given back last is the last to go.
  expect([...open]).toEqual(['a']);
  cache.peek('c', create('c'));
  expect([...open]).toEqual(['c']);
  const late = cache.lease('c', create('another c'));
  await cache.close();
  late.release();
  expect([...open]).toEqual([]);
});
