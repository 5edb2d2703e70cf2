import { afterEach, expect, it, vi } from 'vitest';
import { pause } from '../client/index.js';
import { processIdentity } from './identity.js';
import type { Lease } from './lease.js';
import { LeaseObserver } from './lease-observer.js';
import { checkedTiming } from './lease-timing.js';

afterEach(() => vi.useRealTimers());

function lease(version: number, spec: Lease['spec']): Lease {
  return { metadata: { name: 'l', namespace: 'n', uid: 'u', resourceVersion: String(version) }, spec };
}

const held = (version: number, renewTime: string, more: Lease['spec'] = {}): Lease =>
  lease(version, { holderIdentity: 'other', leaseTransitions: 4, renewTime, ...more });

it('none, and one that nobody holds, are free', () => {
  const observer = new LeaseObserver(1_000);
  observer.see(undefined);
  expect(observer.freeIn('me')).toBe(0);
  observer.see(lease(1, { holderIdentity: '', leaseTransitions: 3 }));
  expect(observer.freeIn('me')).toBe(0);
  expect(observer.highestEpoch).toBe(3);
});

it('one that another holds is free when nothing was written for a whole lease since it was seen', async () => {
  const observer = new LeaseObserver(200);
  observer.see(held(1, 'a'));
  expect(observer.freeIn('me')).toBeGreaterThan(100);
  await pause(120);
  // Seen once more is not written once more.
  observer.see(held(1, 'a'));
  await pause(120);
  expect(observer.freeIn('me')).toBe(0);
  expect(observer.leader).toBeUndefined();
  observer.see(held(2, 'b'));
  expect(observer.freeIn('me')).toBeGreaterThan(100);
  expect(observer.leader).toMatchObject({ identity: 'other', epoch: 4 });
});

it('times that the Lease names, and our wall clock, are not looked at', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const observer = new LeaseObserver(10_000);
  observer.see(held(1, '1970-01-01T00:00:00.000000Z'));
  expect(observer.freeIn('me')).toBeGreaterThan(9_000);
  vi.setSystemTime(Date.now() + 86_400_000);
  expect(observer.freeIn('me')).toBeGreaterThan(9_000);
});

it('a holder with a longer lease than ours gets its own', () => {
  const observer = new LeaseObserver(1_000);
  observer.see(held(1, 'a', { leaseDurationSeconds: 60 }));
  expect(observer.freeIn('me')).toBeGreaterThan(50_000);
});

it('a late event does not count as a renewal', () => {
  const observer = new LeaseObserver(1_000);
  observer.see(held(5, 'b'));
  observer.see(held(4, 'a', { holderIdentity: '' }));
  expect(observer.leader?.identity).toBe('other');
});

it('one that was deleted counts as held as long as its holder may not know of it', async () => {
  const observer = new LeaseObserver(200);
  observer.see(held(5, 'b'));
  observer.see(undefined);
  expect(observer.freeIn('me')).toBeGreaterThan(100);
  expect(observer.freeIn('other')).toBe(0);
  expect(observer.leader).toBeUndefined();
  await pause(220);
  expect(observer.freeIn('me')).toBe(0);
});

it('an epoch is never forgotten', () => {
  const observer = new LeaseObserver(1_000);
  observer.see(held(5, 'b'));
  observer.see(undefined);
  expect(observer.highestEpoch).toBe(4);
  observer.rememberEpoch(9);
  observer.rememberEpoch(2);
  expect(observer.highestEpoch).toBe(9);
});

it('two processes in the same pod with the same process id are two', () => {
  const env = { POD_NAME: 'symphony-0' };
  expect(processIdentity(env)).toMatch(new RegExp(`^symphony-0_${process.pid}_[0-9a-f]{8}$`));
  expect(processIdentity(env)).not.toBe(processIdentity(env));
});

it('times that do not keep two leaders apart are refused', () => {
  expect(() => checkedTiming({ leaseMs: 10_000, renewDeadlineMs: 10_000 })).toThrow(RangeError);
  expect(() => checkedTiming({ retryMs: 5_000 })).toThrow(RangeError);
  expect(checkedTiming()).toEqual({ leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 });
});

it('a count that somebody made up does not use up the numbers of the terms', () => {
  const observer = new LeaseObserver(1_000);
  observer.see(held(1, 'a'));
  for (const leaseTransitions of [2 ** 31 - 1, -1]) observer.see(held(2, 'a', { leaseTransitions }));
  expect(observer.highestEpoch).toBe(4);
});
