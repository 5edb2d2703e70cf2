import type { ObjectKind, StoredObject } from '@symphony/model';
import { describe, expect, test } from 'vitest';
import { effectsOfWrite } from './effects.js';

type Stored = StoredObject;

function stored(kind: ObjectKind, change: Partial<Stored> = {}): Stored {
  return {
    kind,
    namespace: 'n',
    name: 'o',
    uid: 'u',
    generation: 1,
    version: '1',
    labels: {},
    annotations: {},
    spec: {},
    status: {},
    createdAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

const fanOut = (kind: string, properties: object = {}) => ({
  kind,
  namespace: 'n',
  name: 'o',
  uid: 'u',
  ...properties,
});
const deletion = { generation: 2, version: '2', deletionTimestamp: '2026-01-02T00:00:00.000Z' };

describe('lanes', () => {
  test.each(['Instance', 'Target'] as const)('a %s orders itself for the person who wrote it', (kind) => {
    const after = stored(kind, { generation: 7 });
    expect(effectsOfWrite(undefined, after, 'olga').orders).toEqual([
      { kind, namespace: 'n', name: 'o', generation: 7, action: 'update', cause: 'person', actor: 'olga' },
    ]);
  });

  test('an equal write is a wish to run again', () => {
    const object = stored('Instance');
    expect(effectsOfWrite(object, object).orders).toHaveLength(1);
  });

  test.each([
    [{ labels: { a: 'b' } }, 0],
    [{ annotations: { a: 'b' } }, 0],
    [{ annotations: { 'symphony/allow-empty': 'true' } }, 1],
    [{ annotations: { Guid: 'g' } }, 1],
    [{ generation: 2 }, 1],
  ])('a change of %j orders %d runs', (change, count) => {
    const after = stored('Instance', { version: '2', ...change });
    expect(effectsOfWrite(stored('Instance'), after).orders).toHaveLength(count);
  });

  test('deletion orders a removal, and once more when it is repeated', () => {
    const marked = stored('Instance', deletion);
    const expected = [expect.objectContaining({ action: 'delete', generation: 2, cause: 'person' })];
    expect(effectsOfWrite(stored('Instance'), marked).orders).toEqual(expected);
    expect(effectsOfWrite(marked, marked).orders).toEqual(expected);
  });

  test('solutions and containers have none', () => {
    expect(effectsOfWrite(undefined, stored('Solution')).orders).toEqual([]);
    expect(effectsOfWrite(undefined, stored('SolutionContainer'))).toEqual({ orders: [], fanOuts: [] });
  });
});

describe('fan-outs', () => {
  test('a new solution, and one that is gone, concern those that name it', () => {
    expect(effectsOfWrite(undefined, stored('Solution')).fanOuts).toEqual([fanOut('Solution')]);
    expect(effectsOfWrite(stored('Solution'), undefined).fanOuts).toEqual([fanOut('Solution')]);
  });

  test('a target tells the properties that it had and has', () => {
    const before = stored('Target', { spec: { properties: { zone: 'a' } } });
    const after = stored('Target', { spec: { properties: { zone: 'b' } }, generation: 2, version: '2' });
    const propertiesBefore = { zone: 'a' };
    const propertiesAfter = { zone: 'b' };
    expect(effectsOfWrite(undefined, after).fanOuts).toEqual([fanOut('Target', { propertiesAfter })]);
    expect(effectsOfWrite(before, after).fanOuts).toEqual([
      fanOut('Target', { propertiesBefore, propertiesAfter }),
    ]);
  });

  test('a target that is to go concerns whoever is on it, once', () => {
    const marked = stored('Target', deletion);
    expect(effectsOfWrite(stored('Target'), marked).fanOuts).toHaveLength(1);
    expect(effectsOfWrite(marked, marked).fanOuts).toEqual([]);
  });

  test.each([
    ['Solution', { displayName: 'x' }, 0],
    ['Solution', { components: [] }, 1],
    ['Solution', { metadata: { a: 'b' } }, 1],
    ['Target', { displayName: 'x' }, 0],
    ['Target', { components: [{ name: 'own' }] }, 0],
    ['Target', { reconciliationPolicy: { interval: '1h' } }, 0],
    ['Target', { solutionScope: 's' }, 1],
    ['Target', { topologies: [] }, 1],
  ] as const)('%s: a change of %j makes %d', (kind, spec, count) => {
    const after = stored(kind, { spec: spec as unknown as Stored['spec'], generation: 2, version: '2' });
    expect(effectsOfWrite(stored(kind), after).fanOuts).toHaveLength(count);
  });

  test('an instance concerns nobody else', () => {
    expect(effectsOfWrite(undefined, stored('Instance')).fanOuts).toEqual([]);
  });
});
