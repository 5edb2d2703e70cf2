import { joinPath } from '@symphony/model';
import { parse } from 'lossless-json';

/** Cheap and one-sided: every literal that could be rounded matches; long digits inside a string match as well. */
const SUSPICIOUS = /[\d.]{16,}|[eE][+-]?\d{3,}/;

/**
 * The path of the first number of a JSON text that would be changed by reading it: an integer beyond 2^53, a number with
 * more digits than a double keeps, or one that is too large or too small for it.
 * @param text valid JSON, at most as deep as {@link refuseUnsafe} allows.
 */
export function firstRoundedNumber(text: string): string | undefined {
  if (!SUSPICIOUS.test(text)) return undefined;
  const root = parse(text, null, {
    parseNumber: (literal) => (isExact(literal) ? 0 : ROUNDED),
    onDuplicateKey: ({ newValue }) => newValue,
  });
  return pathOf(root, '');
}

/**
 * Where a text stops being JSON, in words. Node's own message quotes the text around the fault, which may hold a secret,
 * and names the place only sometimes.
 */
export function jsonFault(text: string): string {
  let position = text.length;
  try {
    parse(text);
  } catch (error) {
    const [, digits] = /at position (\d+)/.exec((error as Error).message) ?? [];
    if (digits === undefined) return 'somewhere';
    position = Number(digits);
  }
  if (position >= text.trimEnd().length) return 'at its end';
  const before = text.slice(0, position).split('\n');
  return `in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

const ROUNDED = Symbol('a number that would be rounded');

function pathOf(value: unknown, path: string): string | undefined {
  if (value === ROUNDED) return path;
  if (typeof value !== 'object' || value === null) return undefined;
  const list = Array.isArray(value);
  for (const [key, item] of Object.entries(value)) {
    const found = pathOf(item, list ? `${path}[${key}]` : joinPath(path, key));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether what is read from this decimal literal is what it says: writing it out again gives an equal number. */
export function isExact(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  if (/^[+-]?\d+$/.test(literal)) return Number.isSafeInteger(value);
  return canonical(literal) === canonical(String(value));
}

/** Sign, digits without outer zeros, and the power of ten behind the last of them. */
function canonical(literal: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const short = withoutTrailingZeros(digits);
  if (short === '') return '0';
  const exponent = Number(power) - fraction.length + (digits.length - short.length);
  return `${sign === '-' ? '-' : ''}${short}e${exponent}`;
}

/** A loop, since `/0+$/` takes time by the square of the zeros in the middle. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}
