import { expect, test } from 'vitest';
import { reason } from '@symphony/model';
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

const said = (components: readonly ComponentReport[]): string =>
  JSON.stringify(
    statusOf({
      generation: 1,
      operationId: 'run',
      word: 'Failed',
      reason: reason('ProviderFailed'),
      components,
      now: '2026-01-01T00:00:00Z',
    }),
  );

test('what is found is said in the same words, in whatever order it came about', () => {
  const once = said(REPORTS);
  expect(said(REPORTS.toReversed())).toBe(once);
  expect(said([...REPORTS.slice(250), ...REPORTS.slice(0, 250)])).toBe(once);
});

test('problems come first where not all can be listed', () => {
  const { targetStatuses } = JSON.parse(said(REPORTS)) as {
    targetStatuses: { componentStatuses: { status: string }[] }[];
  };
  const listed = targetStatuses.flatMap(({ componentStatuses }) => componentStatuses);
  expect(listed).toHaveLength(200);
  expect(listed.filter(({ status }) => status === 'ProviderFailed')).toHaveLength(
    REPORTS.filter(({ ok }) => !ok).length,
  );
});
