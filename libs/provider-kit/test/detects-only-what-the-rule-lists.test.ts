import { describe, expect, it } from 'vitest';
import { changedFields, type PropertyRule, type ValidationRule } from '@symphony/provider-kit';
import type { ComponentSpec, Sidecar } from '@symphony/model';

const ruleOf = (...changeDetection: PropertyRule[]): ValidationRule => ({
  componentValidationRule: { changeDetection },
});
const withProperties = (properties: Record<string, unknown>): ComponentSpec => ({ name: 'c', properties });
const pathsOf = (rule: ValidationRule, before: ComponentSpec, after: ComponentSpec): string[] =>
  changedFields(rule, before, after).map((diff) => diff.path);

describe("Symphony's table of change detection", () => {
  const rows: [string, PropertyRule[], ComponentSpec, ComponentSpec, boolean][] = [
    ['*', [{ name: '*' }], withProperties({ a: 'b' }), withProperties({ a: 'c' }), true],
    [
      '* and a new key',
      [{ name: '*' }],
      withProperties({ a: 'b' }),
      withProperties({ a: 'b', c: 'd' }),
      true,
    ],
    [
      '* and a lost key',
      [{ name: '*' }],
      withProperties({ a: 'b', c: 'd' }),
      withProperties({ a: 'b' }),
      true,
    ],
    [
      '* with skipIfMissing',
      [{ name: '*', skipIfMissing: true }],
      withProperties({ a: 'b' }),
      withProperties({ a: 'b', c: 'd' }),
      false,
    ],
    ['a*', [{ name: 'a*' }], withProperties({ ab: '1' }), withProperties({ ab: '1', cd: '2' }), false],
    [
      'the name by prefix',
      [{ name: 'any', isComponentName: true, prefixMatch: true }],
      { name: 'a' },
      { name: 'a1' },
      false,
    ],
    [
      'the name without case',
      [{ name: 'any', isComponentName: true, ignoreCase: true }],
      { name: 'Abc' },
      { name: 'abc' },
      false,
    ],
    ['the name', [{ name: 'any', isComponentName: true }], { name: 'a' }, { name: 'b' }, true],
    ['none', [], withProperties({ a: 1 }), withProperties({ a: 2, b: 3 }), false],
  ];
  it.each(rows)('%s', (_title, entries, before, after, changed) => {
    expect(changedFields(ruleOf(...entries), before, after).length > 0).toBe(changed);
  });
});

describe('a pattern', () => {
  const changed = (name: string, key: string): boolean =>
    pathsOf(ruleOf({ name }), withProperties({ [key]: 1 }), withProperties({ [key]: 2 })).length > 0;

  it('matches whole keys only', () => {
    expect(changed('env.*', 'env.A')).toBe(true);
    expect(changed('env.*', 'my.env.A')).toBe(false);
    expect(changed('*.image', 'container.image')).toBe(true);
    expect(changed('*.image', 'container.image.tag')).toBe(false);
    expect(changed('a*c', 'a\nc')).toBe(true);
  });

  it('takes every other character literally', () => {
    expect(changed('env.*', 'envXA')).toBe(false);
    expect(changed('a+(b)[c]|*', 'a+(b)[c]|d')).toBe(true);
    expect(changed('a+*', 'aa')).toBe(false);
  });

  it('covers keys of both sides', () => {
    const diffs = changedFields(ruleOf({ name: 'e*' }), withProperties({ e1: 1 }), withProperties({ e2: 2 }));
    expect(diffs).toEqual([
      { path: 'properties.e1', before: 1, after: undefined },
      { path: 'properties.e2', before: undefined, after: 2 },
    ]);
  });
});

describe('two values', () => {
  const changed = (before: unknown, after: unknown, entry: Partial<PropertyRule> = {}): boolean =>
    pathsOf(ruleOf({ name: 'k', ...entry }), withProperties({ k: before }), withProperties({ k: after }))
      .length > 0;

  it('are compared by their text, whatever their type', () => {
    expect(changed(1, '1')).toBe(false);
    expect(changed(1, 1.0)).toBe(false);
    expect(changed(true, 'true')).toBe(false);
    expect(changed('1.10', 1.1)).toBe(true);
    expect(changed('12345678901234567890', '12345678901234567891')).toBe(true);
  });

  it('are compared with sorted keys, in the order of lists', () => {
    expect(changed({ a: 1, b: { d: 2, c: 3 } }, { b: { c: '3', d: '2' }, a: 1 })).toBe(false);
    expect(changed(['a', 'b'], ['b', 'a'])).toBe(true);
    expect(changed(['a b'], ['a', 'b'])).toBe(true);
    expect(changed({ 1: 'x', a: 'y' }, { a: 'y', 1: 'x' })).toBe(false);
    expect(changed(JSON.parse('{"__proto__":1}'), {})).toBe(true);
  });

  it('may differ in case, or by their end, where the rule says so', () => {
    expect(changed('Abc', 'aBC', { ignoreCase: true })).toBe(false);
    expect(changed('Abc', 'aBC')).toBe(true);
    expect(changed('v1', 'v1.2', { prefixMatch: true })).toBe(false);
    expect(changed('v1.2', 'v1', { prefixMatch: true })).toBe(false);
    expect(changed('V1', 'v1.2', { prefixMatch: true })).toBe(true);
    expect(changed('V1', 'v1.2', { prefixMatch: true, ignoreCase: true })).toBe(false);
  });

  it('are judged by a comparer of the provider alone, when it has one', () => {
    const same = (a: unknown, b: unknown): boolean => a === 'latest' || b === 'latest';
    expect(changed('latest', '1', { same })).toBe(false);
    expect(changed('1', '1', { same })).toBe(true);
    expect(changed(undefined, undefined, { same: () => false })).toBe(false);
  });

  it('are no change when both are absent, and one when one is', () => {
    expect(changed(undefined, undefined)).toBe(false);
    expect(changed(undefined, 'x')).toBe(true);
    expect(changed('x', undefined)).toBe(true);
    expect(changed('x', undefined, { skipIfMissing: true })).toBe(false);
  });
});

describe('metadata and sidecars', () => {
  it('compares metadata by its own entries', () => {
    const rule: ValidationRule = {
      componentValidationRule: { changeDetectionMetadata: [{ name: 'annotations.*' }] },
    };
    const before = { name: 'c', metadata: { 'annotations.a': '1', other: '1' } };
    const after = { name: 'c', metadata: { 'annotations.a': '2', other: '2' } };
    expect(pathsOf(rule, before, after)).toEqual(['metadata["annotations.a"]']);
  });

  const sidecars = (...list: Sidecar[]): ComponentSpec => ({ name: 'c', sidecars: list });
  const rule: ValidationRule = {
    allowSidecar: true,
    sidecarValidationRule: { changeDetection: [{ name: 'image' }] },
  };

  it('matches sidecars by name, whatever their order', () => {
    const [a, b] = [
      { name: 'a', properties: { image: '1' } },
      { name: 'b', properties: { image: '2', note: 'x' } },
    ];
    expect(pathsOf(rule, sidecars(a, b), sidecars({ ...b, properties: { image: '2' } }, a))).toEqual([]);
    const changed = { name: 'b', properties: { image: '3' } };
    expect(pathsOf(rule, sidecars(a, b), sidecars(a, changed))).toEqual(['sidecars["b"].properties.image']);
  });

  it('counts a new and a missing sidecar as a change', () => {
    expect(pathsOf(rule, sidecars(), sidecars({ name: 'a' }))).toEqual(['sidecars["a"]']);
    expect(pathsOf(rule, sidecars({ name: 'a' }), { name: 'c' })).toEqual(['sidecars["a"]']);
  });

  it('ignores sidecars that the provider does not take', () => {
    expect(pathsOf({ ...rule, allowSidecar: false }, sidecars(), sidecars({ name: 'a' }))).toEqual([]);
  });

  it('names each path once, also when several entries match it', () => {
    const both = ruleOf({ name: '*' }, { name: 'a' });
    expect(pathsOf(both, withProperties({ a: 1 }), withProperties({ a: 2 }))).toEqual(['properties.a']);
  });
});
