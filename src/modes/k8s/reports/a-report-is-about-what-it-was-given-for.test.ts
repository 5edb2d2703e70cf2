import type { LedgerEntry, PendingOutcome } from '@symphony/model';
import { expect, test } from 'vitest';
import type { ComponentReport } from '../../../modules/state/index.js';
import { isAbout, isStill, reportObject } from './report-object.js';

const REPORT: ComponentReport = { component: 'web', state: 'succeeded', message: '' };
const TARGET = { metadata: { name: 't', namespace: 'n', uid: 'tu' } };

function pending(since: string, ticket?: string): PendingOutcome {
  return { phase: 'apply', since, deadline: '', message: '', ...(ticket === undefined ? {} : { ticket }) };
}

function entry(changes: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    owner: { kind: 'Instance', namespace: 'n', name: 'i', uid: 'u' },
    targetUid: 'tu',
    targetName: 't',
    component: 'web',
    role: 'instance',
    provider: 'p',
    bindingHash: 'b',
    scope: 's',
    binding: { role: 'instance', provider: 'p', config: {} },
    applied: { name: 'web' },
    digest: '',
    state: 'intent',
    generation: '2',
    updatedAt: '',
    ...changes,
  };
}

test.each([
  ['what is applied', {}, entry({ state: 'applied' }), false],
  ['another component', {}, entry({ component: 'db', pending: pending('1') }), false],
  ['what was accepted without a ticket', {}, entry({ pending: pending('1') }), true],
  ['its ticket', { ticket: 'x' }, entry({ pending: pending('1', 'x') }), true],
  ['another ticket', { ticket: 'y' }, entry({ pending: pending('1', 'x') }), false],
  ['a ticket that it does not name', {}, entry({ pending: pending('1', 'x') }), false],
  ['what is not accepted yet, with a ticket', { ticket: 'x' }, entry(), true],
  ['what is not accepted yet, with its generation', { generation: '2' }, entry(), true],
  ['what is not accepted yet, with nothing', {}, entry(), false],
  ['another generation', { generation: '1' }, entry({ pending: pending('1') }), false],
  ['another owner', { instance: 'j' }, entry({ pending: pending('1') }), false],
  ['a removal', { instance: 'i' }, entry({ state: 'removing', pending: pending('1') }), true],
])('a report on %s', (_what, said, about, expected) => {
  expect(isAbout({ ...REPORT, ...said }, about)).toBe(expected);
});

test.each([
  ['nothing changed', entry({ pending: pending('1') }), entry({ pending: pending('1') }), true],
  ['it was asked for anew', entry({ pending: pending('1') }), entry({ pending: pending('2') }), false],
  ['it is being asked for anew', entry({ pending: pending('1') }), entry(), false],
  ['it was accepted', entry(), entry({ pending: pending('1', 'x') }), true],
  ['it was accepted with another ticket', entry(), entry({ pending: pending('1', 'y') }), false],
  ['a newer declaration came', entry(), entry({ generation: '3', pending: pending('1', 'x') }), false],
  ['it was applied', entry({ pending: pending('1') }), entry({ state: 'applied' }), false],
])('a report counts, or does not, when meanwhile %s', (_what, before, after, expected) => {
  const object = reportObject(TARGET, { ...REPORT, ticket: 'x' }, [before]);
  const [row] = object.spec.rows;
  if (!row) throw new Error('the report is about no row');
  expect(isStill(object, row, after)).toBe(expected);
});

test('the same report takes the place of the one before, another one does not', () => {
  const nameOf = (report: ComponentReport): string => reportObject(TARGET, report, []).metadata.name;
  expect(nameOf({ ...REPORT, state: 'failed', message: 'no' })).toBe(nameOf(REPORT));
  expect(nameOf({ ...REPORT, ticket: 'x' })).not.toBe(nameOf(REPORT));
});
