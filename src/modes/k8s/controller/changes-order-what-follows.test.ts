import { expect, test } from 'vitest';
import type { CustomObject } from '../objects/custom-object.js';
import { effectsOfChange } from './change-effects.js';
import { knownObject } from './known-object.js';

const INTERVALS = { interval: 1_800_000, minInterval: 60_000 };

function instance(changes: Partial<CustomObject<'Instance'>['metadata']> = {}): CustomObject<'Instance'> {
  return {
    metadata: { name: 'i', namespace: 'n', uid: 'u', generation: 1, resourceVersion: '1', ...changes },
    spec: { solution: 'app' },
  };
}

function target(properties: Record<string, string>, generation: number): CustomObject<'Target'> {
  return { metadata: { name: 't', namespace: 'n', uid: 'tu', generation }, spec: { properties } };
}

const SUCCEEDED = {
  status: 'Succeeded',
  reason: 'Succeeded',
  observedGeneration: 1,
  provisioningStatus: { operationId: 'r', status: 'Succeeded', error: {} },
  deploymentHash: 'h',
} as const;

const ORDER = { kind: 'Instance', namespace: 'n', name: 'i', action: 'update', cause: 'person' };

test('a new object and a new generation order a run', () => {
  expect(effectsOfChange('Instance', undefined, instance()).orders).toMatchObject([ORDER]);
  expect(effectsOfChange('Instance', instance(), instance({ generation: 2 })).orders).toMatchObject([
    { ...ORDER, generation: 2 },
  ]);
});

test('a status, a finalizer or a label of somebody orders nothing', () => {
  const before = instance();
  const after = { ...instance({ resourceVersion: '2', finalizers: ['x'] }), status: SUCCEEDED };
  expect(effectsOfChange('Instance', before, after).orders).toEqual([]);
  expect(effectsOfChange('Instance', before, instance({ labels: { a: 'b' } })).orders).toEqual([]);
});

test('a deletion orders the removal', () => {
  const after = instance({ generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' });
  expect(effectsOfChange('Instance', instance(), after).orders).toMatchObject([
    { ...ORDER, action: 'delete', generation: 2 },
  ]);
});

test.each(['symphony/reconcile', 'management.azure.com/operationId'])(
  'a new value of %s orders a run once, and not again when it is marked as handled',
  (annotation) => {
    const before = instance({ annotations: { [annotation]: '1' } });
    const asked = instance({ annotations: { [annotation]: '2/alice' } });
    const handled = {
      ...asked,
      status: { orders: [{ order: annotation, request: '2/alice', handledAt: 'now' }] },
    };
    expect(effectsOfChange('Instance', before, asked).orders).toMatchObject([{ ...ORDER, actor: 'alice' }]);
    expect(effectsOfChange('Instance', asked, { ...asked, status: {} }).orders).toEqual([]);
    expect(effectsOfChange('Instance', asked, handled).orders).toEqual([]);
    expect(knownObject('Instance', { ...asked, status: SUCCEEDED }, INTERVALS).last).toBeUndefined();
    const known = knownObject(
      'Instance',
      { ...handled, status: { ...SUCCEEDED, ...handled.status } },
      INTERVALS,
    );
    expect(known.last?.result).toBe('succeeded');
  },
);

test('a target that changes fans out with what it had and has', () => {
  const { fanOuts } = effectsOfChange('Target', target({ os: 'a' }, 1), target({ os: 'b' }, 2));
  expect(fanOuts).toEqual([
    {
      kind: 'Target',
      namespace: 'n',
      name: 't',
      uid: 'tu',
      propertiesBefore: { os: 'a' },
      propertiesAfter: { os: 'b' },
    },
  ]);
});

test('a term begins with what the status says of this very generation, and only of it', () => {
  const object = { ...instance(), status: SUCCEEDED };
  expect(knownObject('Instance', object, INTERVALS)).toMatchObject({
    action: 'update',
    lastHash: 'h',
    intervalMs: 1_800_000,
    last: { result: 'succeeded', reason: { code: 'Succeeded' } },
  });
  const later = { ...object, metadata: { ...object.metadata, generation: 2 } };
  expect(knownObject('Instance', later, INTERVALS).last).toBeUndefined();
  const running = { ...object, status: { ...SUCCEEDED, status: 'Reconciling' as const } };
  expect(knownObject('Instance', running, INTERVALS).last).toBeUndefined();
  const deleted = { ...object, metadata: { ...object.metadata, deletionTimestamp: 'now' } };
  expect(knownObject('Instance', deleted, INTERVALS)).toMatchObject({ action: 'delete' });
  expect(knownObject('Instance', deleted, INTERVALS).last).toBeUndefined();
});

test.each([
  ['SolutionNotFound', 'waiting'],
  ['ProviderFailed', 'retry'],
  ['something that somebody wrote by hand', 'retry'],
])('a failure for %s goes on as %s', (code, result) => {
  const status = { ...SUCCEEDED, status: 'Failed' as const, reason: code };
  expect(knownObject('Instance', { ...instance(), status }, INTERVALS).last?.result).toBe(result);
});

test('a suspended object is suspended from the beginning of a term', () => {
  const object = instance({ annotations: { 'symphony/suspend': 'true' } });
  expect(knownObject('Instance', object, INTERVALS).suspended).toBe(true);
});
