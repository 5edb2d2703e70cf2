import { afterEach, expect, it, vi } from 'vitest';
import { pause } from '../client/index.js';
import { LeadershipLostError } from './errors.js';
import { LeaseTerm } from './term.js';

const terms: LeaseTerm[] = [];

function term(renewDeadlineMs: number, since = performance.now()): LeaseTerm {
  const made = new LeaseTerm(7, since, renewDeadlineMs);
  terms.push(made);
  return made;
}

/** The event loop stands still: no timer fires, no answer is read. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

afterEach(() => {
  vi.useRealTimers();
  for (const made of terms.splice(0)) made.end('the test is over');
});

it('without renewals it ends at its deadline, by a timer', async () => {
  const began = performance.now();
  const ending = term(100, began);
  expect(ending.isLive()).toBe(true);
  await new Promise((resolve) => ending.signal.addEventListener('abort', resolve));
  expect(performance.now() - began).toBeGreaterThanOrEqual(100);
  expect(ending.isLive()).toBe(false);
  expect(ending.signal.reason).toBeInstanceOf(LeadershipLostError);
});

it('counts from when the request was sent, not from its answer', () => {
  expect(term(100, performance.now() - 99.5).signal.aborted).toBe(false);
  expect(term(100, performance.now() - 100).isLive()).toBe(false);
});

it('goes on while it is extended', () => {
  vi.useFakeTimers();
  const renewed = term(500);
  for (let count = 0; count < 10; count += 1) {
    vi.advanceTimersByTime(100);
    expect(renewed.extend(performance.now())).toBe(true);
  }
  expect(renewed.isLive()).toBe(true);
});

it('an event loop that stood still past the deadline has lost it, before any timer could say so', () => {
  const stalled = term(50);
  stall(60);
  expect(stalled.signal.aborted).toBe(false);
  expect(stalled.isLive()).toBe(false);
  expect(stalled.signal.aborted).toBe(true);
});

it('a renewal whose answer came in time, and was read too late, renews nothing', () => {
  const stalled = term(50);
  const sent = performance.now();
  stall(60);
  expect(stalled.extend(sent + 40)).toBe(false);
  expect(stalled.isLive()).toBe(false);
});

it('an older renewal does not shorten it', () => {
  vi.useFakeTimers();
  const renewed = term(300);
  const now = performance.now();
  renewed.extend(now);
  renewed.extend(now - 290);
  vi.advanceTimersByTime(50);
  expect(renewed.isLive()).toBe(true);
});

it('jumps of the wall clock change nothing', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const steady = term(5_000);
  vi.setSystemTime(Date.now() + 86_400_000);
  expect(steady.isLive()).toBe(true);
  vi.setSystemTime(Date.now() - 2 * 86_400_000);
  await pause(5_100);
  expect(steady.isLive()).toBe(false);
});

it('ends once, with the first reason', () => {
  const ended = term(1_000);
  ended.end('the first');
  ended.end('the second');
  expect((ended.signal.reason as Error).message).toContain('the first');
});
