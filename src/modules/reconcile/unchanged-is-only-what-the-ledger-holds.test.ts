import type { Deployment, LedgerEntry } from '@symphony/model';
import { expect, test } from 'vitest';
import { ledgerHolds } from './ledger-holds.js';

const BINDING = { role: 'r', provider: 'p' };
const COMPONENTS = [
  { name: 'a', type: 'r', properties: { version: 1 } },
  { name: 'b', type: 'r' },
];
const PLACE = { role: 'r', binding: BINDING, bindingHash: 'h', scope: 's' };

const DEPLOYMENT = {
  owner: { kind: 'Instance', namespace: 'n', name: 'i', uid: 'u' },
  removal: false,
  dryRun: false,
  components: COMPONENTS,
  assignments: [
    { ...PLACE, target: 'near', component: 'a' },
    { ...PLACE, target: 'far', component: 'b' },
  ],
} as unknown as Deployment;

function entry(index: 0 | 1, changes: Partial<LedgerEntry> = {}): LedgerEntry {
  const { target, component } = DEPLOYMENT.assignments[index] ?? { target: '', component: '' };
  return {
    owner: DEPLOYMENT.owner,
    targetUid: `uid of ${target}`,
    targetName: target,
    component,
    provider: 'p',
    ...PLACE,
    applied: COMPONENTS[index] ?? { name: '' },
    digest: '',
    state: 'applied',
    generation: '1',
    updatedAt: '',
    ...changes,
  };
}

test('all of it, as it is declared, and nothing else', () => {
  expect(ledgerHolds(DEPLOYMENT, [entry(1), entry(0)])).toBe(true);
});

test.each([
  ['a component that is missing', [entry(0)]],
  ['a component too many', [entry(0), entry(1), entry(1, { component: 'c' })]],
  ['an intent that was not settled', [entry(0, { state: 'intent' }), entry(1)]],
  ['a removal that was not settled', [entry(0, { state: 'removing' }), entry(1)]],
  ['what was applied in another version', [entry(0, { applied: { name: 'a', type: 'r' } }), entry(1)]],
  ['a component on another target', [entry(0, { targetName: 'far' }), entry(1)]],
  ['a component by another binding', [entry(0, { bindingHash: 'other' }), entry(1)]],
])('not with %s', (_what, ledger) => {
  expect(ledgerHolds(DEPLOYMENT, ledger)).toBe(false);
});

test('of a removal, nothing', () => {
  const removal = { ...DEPLOYMENT, removal: true };
  expect(ledgerHolds(removal, [])).toBe(true);
  expect(ledgerHolds(removal, [entry(0)])).toBe(false);
});

test('a dry run has nothing to hold', () => {
  expect(ledgerHolds({ ...DEPLOYMENT, dryRun: true }, [])).toBe(true);
});
