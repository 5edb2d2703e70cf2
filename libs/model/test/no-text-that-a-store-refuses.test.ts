import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginningOf, endOf, storableDeep, storableText } from '@symphony/model';

describe('texts that a store refuses', () => {
  it('NUL and halves of surrogate pairs are replaced, and nothing else', () => {
    expect(storableText('a\0b \ud83d! \ude00 😀')).toBe('a\ufffdb \ufffd! \ufffd 😀');
  });

  it('wherever they are in a value, keys included', () => {
    const sent = { 'k\0': ['x\0', { deep: '\ud83d' }], number: 1, none: null, absent: undefined };
    expect(storableDeep(sent)).toEqual({
      'k\ufffd': ['x\ufffd', { deep: '\ufffd' }],
      number: 1,
      none: null,
      absent: undefined,
    });
  });

  it('a value that is clean is not copied', () => {
    const clean = { a: ['b', { c: '😀' }], n: 1.5 };
    expect(storableDeep(clean)).toBe(clean);
    const partly = { clean, dirty: '\0' };
    expect(storableDeep(partly).clean).toBe(clean);
  });

  it('a key that is an accessor elsewhere stays a key', () => {
    const sent: unknown = JSON.parse('{"__proto__":{"a":"\\u0000"}}');
    expect(JSON.stringify(storableDeep(sent))).toBe('{"__proto__":{"a":"\ufffd"}}');
  });
});

describe('texts that are cut', () => {
  it('never in the middle of a character', () => {
    expect(beginningOf('ab😀cd', 4)).toBe('ab…');
    expect(endOf('ab😀cd', 4)).toBe('…cd');
    expect(beginningOf('ab😀cd', 5)).toBe('ab😀…');
    expect(endOf('ab😀cd', 5)).toBe('…😀cd');
  });

  it('whatever they are: what is short stays, what is long is as long as allowed, and storable stays storable', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '😀', 'ß', '…') });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 12 }), (text, max) => {
        for (const cut of [beginningOf(text, max), endOf(text, max)]) {
          expect(cut.length).toBeLessThanOrEqual(max);
          expect(storableText(cut)).toBe(cut);
          if (text.length <= max) expect(cut).toBe(text);
          else expect(cut.length).toBeGreaterThanOrEqual(max - 1);
        }
      }),
    );
  });
});
