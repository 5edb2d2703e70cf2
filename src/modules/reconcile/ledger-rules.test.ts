import type { LedgerEntry } from '@symphony/model';
import { expect, test } from 'vitest';
import { begunEntry, settledEntry } from './ledger-rules.js';

const NOW = '2026-01-02T03:04:05.000Z';
const KEY = { targetUid: 't', component: 'c', role: 'r', provider: 'p', bindingHash: 'h' };
const ENTRY: LedgerEntry = {
  ...KEY,
  owner: { kind: 'Instance', namespace: 'n', name: 'i', uid: 'u' },
  targetName: 'edge',
  scope: 's',
  binding: { role: 'r', provider: 'p' },
  applied: { name: 'c', type: 'r', properties: { v: 1 } },
  digest: 'old',
  state: 'applied',
  generation: '1',
  updatedAt: 'before',
};
const NEW = { name: 'c', type: 'r', properties: { v: 2 } };
const PENDING = { phase: 'apply', since: 'a', deadline: 'b', message: '', ticket: '7' } as const;

test('the intent of an update never takes the place of what is applied', () => {
  const intent: LedgerEntry = { ...ENTRY, applied: NEW, digest: '', state: 'intent', generation: '2' };
  const begun = begunEntry({ ...ENTRY, pending: PENDING }, intent, NOW);
  expect(begun).toEqual({ ...ENTRY, state: 'intent', generation: '2', updatedAt: NOW });
  expect(begunEntry(undefined, intent, NOW)).toEqual({ ...intent, updatedAt: NOW });
});

test('what was applied is known by its digest from then on, and what was awaited is over', () => {
  const outcome = { kind: 'applied', key: KEY, applied: NEW, digest: 'new', generation: '2' } as const;
  const known = { ...ENTRY, state: 'intent' as const, pending: PENDING, reportedFailures: 2 };
  const expected = { ...ENTRY, applied: NEW, digest: 'new', generation: '2', updatedAt: NOW };
  expect(settledEntry(known, outcome, NOW)).toEqual(expected);
});

test('what was removed goes', () => {
  expect(settledEntry(ENTRY, { kind: 'removed', key: KEY }, NOW)).toBeUndefined();
});

test.each([
  ['on the same ticket, before the answer', { ticket: '7' }, undefined, { kept: true, failures: undefined }],
  ['on another ticket', { ticket: '6' }, undefined, { kept: false, failures: undefined }],
  ['that was used up', { ticket: '7' }, 'at', { kept: false, failures: 1 }],
])('a report %s', (_what, { ticket }, used, { kept, failures }) => {
  const report = { state: 'failed', message: 'no', ticket, at: 'at' } as const;
  const outcome = { kind: 'pending', key: KEY, pending: PENDING, ...(used ? { used } : {}) } as const;
  const settled = settledEntry({ ...ENTRY, report }, outcome, NOW);
  expect(settled?.report).toEqual(kept ? report : undefined);
  expect(settled?.reportedFailures).toBe(failures);
  expect(settled?.pending).toEqual(PENDING);
});
