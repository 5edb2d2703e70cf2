import { isPlainObject } from './fields.js';

const UNSTORABLE = /\p{Surrogate}|\0/gu;

/**
 * The same text without what no store keeps: NUL and halves of surrogate pairs become U+FFFD. PostgreSQL refuses the first, and
 * the second wherever it is part of a JSON document.
 */
export function storableText(text: string): string {
  return text.replaceAll(UNSTORABLE, '\uFFFD');
}

/** `storableText` for every text of a value, keys included. What is clean already is not copied. */
export function storableDeep<T>(value: T): T {
  return mapTexts(value, storableText, storableText);
}

/** The beginning of a text with `…` where it had to be cut. @param max in UTF-16 code units, the `…` included */
export function beginningOf(text: string, max: number): string {
  if (text.length <= max) return text;
  // Never half of a surrogate pair: no store keeps it as it is, and what is found again would be written again.
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** The end of a text after `…` where it had to be cut. @param max in UTF-16 code units, the `…` included */
export function endOf(text: string, max: number): string {
  if (text.length <= max) return text;
  return `…${text.slice(text.length + 1 - max).replace(/^[\udc00-\udfff]/, '')}`;
}

/**
 * The same value with other texts in it. What stays as it is is not copied: reports of a hundred thousand components are the
 * rule where a text that has to be changed is the exception.
 * @param keyOf renames keys; without it they stay
 */
export function mapTexts<T>(value: T, textOf: (text: string) => string, keyOf?: (key: string) => string): T {
  return mapped(value, textOf, keyOf) as T;
}

function mapped(value: unknown, textOf: (text: string) => string, keyOf?: (key: string) => string): unknown {
  if (typeof value === 'string') return textOf(value);
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    value.forEach((item: unknown, index) => {
      const other = mapped(item, textOf, keyOf);
      if (other !== item) (copy ??= [...(value as unknown[])])[index] = other;
    });
    return copy ?? value;
  }
  if (!isPlainObject(value)) return value;
  let changed = false;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    const entry: [string, unknown] = [keyOf ? keyOf(key) : key, mapped(item, textOf, keyOf)];
    changed ||= entry[0] !== key || entry[1] !== item;
    return entry;
  });
  return changed ? Object.fromEntries(entries) : value;
}
