import { expect, test } from 'vitest';
import { reason, type ObjectStatus, type Reason } from '@symphony/model';
import type { ComponentReport } from './report.js';
import { statusOf } from './status.js';

/** More than a status lists, of which some are problems. */
const REPORTS = Array.from({ length: 500 }, (_, i): ComponentReport => {
  const ok = i % 7 !== 0;
  return {
    target: `target-${i % 13}`,
    component: `c-${i}`,
    action: 'none',
    ok,
    reason: ok ? reason('UpToDate') : reason('ProviderFailed', `It broke at ${i}.`),
    stateCode: 0,
  };
});

const statusAfter = (components: readonly ComponentReport[], why = reason('ProviderFailed')): ObjectStatus =>
  statusOf({
    generation: 1,
    operationId: 'run',
    word: 'Failed',
    reason: why,
    components,
    now: '2026-01-01T00:00:00Z',
  });

const said = (components: readonly ComponentReport[]): string => JSON.stringify(statusAfter(components));

test('what is found is said in the same words, in whatever order it came about', () => {
  const once = said(REPORTS);
  expect(said(REPORTS.toReversed())).toBe(once);
  expect(said([...REPORTS.slice(250), ...REPORTS.slice(0, 250)])).toBe(once);
});

test('problems come first where not all can be listed, and that something is missing is said', () => {
  const { targetStatuses = [], truncated } = statusAfter(REPORTS);
  const listed = targetStatuses.flatMap(({ componentStatuses }) => componentStatuses);
  expect(listed).toHaveLength(200);
  expect(listed.filter(({ status }) => status === 'ProviderFailed')).toHaveLength(
    REPORTS.filter(({ ok }) => !ok).length,
  );
  expect(truncated).toBe(true);
  expect(statusAfter(REPORTS.slice(0, 201)).truncated).toBe(true);
  expect(statusAfter(REPORTS.slice(0, 200)).truncated).toBeUndefined();
});

test('targets with problems stand before those that are well, and so do components within a target', () => {
  const report = (target: string, component: string, ok: boolean): ComponentReport => ({
    target,
    component,
    action: 'none',
    ok,
    reason: ok ? reason('UpToDate') : reason('ProviderFailed', 'It broke.'),
    stateCode: 0,
  });
  const { targetStatuses = [] } = statusAfter([
    report('a', 'well', true),
    report('b', 'a-well', true),
    report('b', 'z-failed', false),
    report('b', 'y-failed', false),
  ]);
  expect(
    targetStatuses.map(({ name, componentStatuses }) => [
      name,
      ...componentStatuses.map((each) => each.name),
    ]),
  ).toEqual([
    ['b', 'y-failed', 'z-failed', 'a-well'],
    ['a', 'well'],
  ]);
});

test('a message that has to end early says so, and never ends within a character', () => {
  const [first] = REPORTS;
  expect(first).toBeDefined();
  if (!first) return;
  const failure = (message: string): Reason => ({ code: 'ProviderFailed', message });
  const long = 'x'.repeat(998);
  const { truncated, targetStatuses } = statusAfter([{ ...first, reason: failure(`${long}😀 and more`) }]);
  expect(truncated).toBe(true);
  expect(targetStatuses?.[0]?.componentStatuses[0]?.message).toBe(`${long}…`);
  expect(statusAfter([], failure('x'.repeat(1_001))).truncated).toBe(true);
  expect(statusAfter([], failure('x'.repeat(1_000))).truncated).toBeUndefined();
});
