import { expect, test } from 'vitest';
import { fieldPath, parseFieldSelector, parseLabelSelector } from './selectors.js';

test('label selectors, every operator', () => {
  expect(parseLabelSelector(' a=b, c==d,e!=f , g in (h, i),j notin (k),l,! m,n=,o in ()')).toEqual([
    { key: 'a', operator: '=', values: ['b'] },
    { key: 'c', operator: '=', values: ['d'] },
    { key: 'e', operator: '!=', values: ['f'] },
    { key: 'g', operator: 'in', values: ['h', 'i'] },
    { key: 'j', operator: 'notIn', values: ['k'] },
    { key: 'l', operator: 'exists', values: [] },
    { key: 'm', operator: 'notExists', values: [] },
    { key: 'n', operator: '=', values: [''] },
    { key: 'o', operator: 'in', values: [''] },
  ]);
  expect(parseLabelSelector(' , ')).toEqual([]);
});

test.each(['a=b=c', '=b', 'a in b', 'a in (b', 'a b', '!', '!a=b', 'a<b'.replace('<', '(')])(
  'label selector %s is refused',
  (text) => {
    expect(() => parseLabelSelector(text)).toThrow('cannot be read');
  },
);

test('field selectors compare paths', () => {
  expect(parseFieldSelector('metadata.name=a,spec.target.name!=b')).toEqual([
    { key: 'metadata.name', operator: '=', values: ['a'] },
    { key: 'spec.target.name', operator: '!=', values: ['b'] },
  ]);
  for (const text of ['name=a', 'spec.a', 'spec.a in (b)', 'spec..a=b', `spec${'.a'.repeat(30)}=b`]) {
    expect(() => parseFieldSelector(text)).toThrow('cannot be read');
  }
});

test('field paths', () => {
  expect(fieldPath('spec.components[0].name')).toEqual(['spec', 'components', '0', 'name']);
  expect(fieldPath('metadata.labels["a.b/c"]')).toEqual(['metadata', 'labels', 'a.b/c']);
});

test('text that is long and wrong is refused in no time', () => {
  for (const text of [
    ','.repeat(16_000),
    `${'a,'.repeat(8000)}(`,
    `a${' '.repeat(16_000)}!`,
    `a in (${'b,'.repeat(8000)}`,
  ]) {
    // Processor time, which a busy machine lengthens far less than the time.
    const before = process.cpuUsage();
    try {
      parseLabelSelector(text);
    } catch {
      // Refused or empty, both are fine.
    }
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(200);
  }
});
