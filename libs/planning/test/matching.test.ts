import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeploymentError, matchesPattern, matchTargets, sortByDependencies } from '../src/index.js';
import { component } from './support.js';

describe('a pattern', () => {
  it.each([
    ['gw-1', 'gw-10', false],
    ['gw-*', 'gw-1', true],
    ['gw-*', 'my-gw-1', false],
    ['gw%', 'gw1', true],
    ['gw%', 'gw', false],
    ['gw%', 'gw12', false],
    ['g*1', 'g10', false],
    ['a.b*', 'axbc', false],
    ['(*', '(x', true],
    ['*', '', true],
    ['', '', true],
    ['%', '😀', true],
    ['a*b*c', 'a-b-b-c', true],
    ['A', 'a', false],
  ])('%j against %j: %s', (pattern, text, matches) => {
    expect(matchesPattern(pattern, text)).toBe(matches);
  });

  it('means the same as an anchored expression', () => {
    const letters = fc
      .array(fc.constantFrom('a', 'b', '*', '%', '.'), { maxLength: 8 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const escaped = pattern.replaceAll('.', '\\.').replaceAll('*', '[^]*').replaceAll('%', '[^]');
        return matchesPattern(pattern, text) === new RegExp(`^${escaped}$`).test(text);
      }),
    );
  });

  it('takes no time to speak of, however it is made', () => {
    // Processor time, which a busy machine lengthens far less than the time.
    const before = process.cpuUsage();
    expect(matchesPattern(`${'*a'.repeat(120)}*b`, 'a'.repeat(20_000))).toBe(false);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(2000);
  });
});

describe('targets', () => {
  const targets = ['gw-2', 'gw-1', 'app-v-1', 'other'].map((name) => ({
    name,
    spec: { properties: { os: name === 'other' ? 'linux' : 'windows' } },
    deleting: false,
  }));

  it('match by name or by selector, sorted', () => {
    expect(matchTargets({ name: 'gw-*', selector: { os: 'lin*' } }, targets).matched).toEqual([
      'gw-1',
      'gw-2',
      'other',
    ]);
    expect(matchTargets({ name: 'app:1' }, targets).matched).toEqual(['app-v-1']);
    expect(matchTargets({ name: '', selector: {} }, targets).matched).toEqual([]);
    expect(matchTargets(undefined, targets).matched).toEqual([]);
  });

  it('that are being deleted never match', () => {
    const deleting = targets.map((target) => ({ ...target, deleting: target.name === 'gw-1' }));
    expect(matchTargets({ name: 'gw-*' }, deleting)).toMatchObject({
      matched: ['gw-2'],
      mismatches: [
        { target: 'app-v-1' },
        { target: 'gw-1', why: 'It is being deleted.' },
        { target: 'other' },
      ],
    });
  });

  it('that do not match say why', () => {
    const why = matchTargets({ name: 'x', selector: { os: 'mac', arch: '*' } }, targets.slice(0, 1))
      .mismatches[0]?.why;
    expect(why).toBe(
      'Its name does not match "x", and its property "os" is "windows", which does not match "mac", and it has no property "arch".',
    );
    expect(matchTargets({ selector: { constructor: '*' } }, targets).matched).toEqual([]);
  });
});

describe('dependencies', () => {
  const names = (...items: ReturnType<typeof component>[]): string[] =>
    sortByDependencies(items).map((item) => item.name);

  it('come first, all else in the given order', () => {
    expect(
      names(component('c', '', ['b']), component('b', '', ['a', 'a']), component('x'), component('a')),
    ).toEqual(['x', 'a', 'b', 'c']);
  });

  it('that are not there are named', () => {
    expect(() => names(component('web', '', ['db']))).toThrow(
      expect.objectContaining({
        reason: 'DependencyUnknown',
        message: expect.stringMatching(/"web".*"db"/) as string,
      }),
    );
  });

  it('that run in a circle are named with the path', () => {
    const circle = [component('x', '', ['a']), component('a', '', ['b']), component('b', '', ['a'])];
    expect(() => names(...circle)).toThrow('a -> b -> a');
    expect(() => names(component('a', '', ['a']))).toThrow('a -> a');
    expect(() => names(...circle)).toThrow(DeploymentError);
  });
});
