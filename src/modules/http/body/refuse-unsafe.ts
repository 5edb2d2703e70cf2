import { InvalidInputError, joinPath } from '@symphony/model';

/** Deeper than any object of the model, and far from what recursion over it could not take. */
const DEEPEST = 64;
/** Values, lists and objects together. A 4 MiB list of zeros would hold twenty times as many. */
const MOST_NODES = 100_000;
/** In Unicode mode a whole pair is one character, so that this matches halves only. */
const LONE_SURROGATE = /\p{Surrogate}/u;

interface Frame {
  value: unknown;
  key: string | number;
  parent: Frame | undefined;
  depth: number;
}

/**
 * Refuses decoded input that no store or reader could take: NUL characters and half surrogate pairs (PostgreSQL holds
 * neither), the key `__proto__` (a copy of the object would lose or obey it), too much depth, too many values.
 * @throws InvalidInputError with the path.
 */
export function refuseUnsafe(root: unknown): void {
  const open: Frame[] = [{ value: root, key: '', parent: undefined, depth: 0 }];
  let seen = 0;
  for (let frame = open.pop(); frame; frame = open.pop()) {
    seen += 1;
    if (seen > MOST_NODES) {
      throw refusal(undefined, `holds more than ${MOST_NODES} values; split it`, 'BodyTooComplex');
    }
    const { value, depth } = frame;
    if (typeof value === 'string') refuseText(value, frame, 'the text');
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= DEEPEST) throw refusal(frame, `is nested deeper than ${DEEPEST} levels`, 'BodyTooComplex');
    if (Array.isArray(value)) {
      for (let index = value.length - 1; index >= 0; index -= 1) {
        open.push({ value: value[index] as unknown, key: index, parent: frame, depth: depth + 1 });
      }
      continue;
    }
    for (const [key, item] of Object.entries(value).toReversed()) {
      const child: Frame = { value: item as unknown, key, parent: frame, depth: depth + 1 };
      if (key === '__proto__') throw refusal(child, 'may not be used as a key');
      refuseText(key, child, 'the key');
      open.push(child);
    }
  }
}

function refuseText(text: string, frame: Frame, what: string): void {
  if (text.includes('\0')) throw refusal(frame, `${what} holds a NUL character; leave it out`);
  if (LONE_SURROGATE.test(text)) {
    throw refusal(frame, `${what} holds half of a surrogate pair; write the whole character`);
  }
}

function refusal(frame: Frame | undefined, message: string, code = 'InvalidInput'): InvalidInputError {
  const path = frame ? pathOf(frame) : '';
  return new InvalidInputError(
    `The body cannot be used: ${path || 'it'} ${message}.`,
    [{ path, message }],
    code,
  );
}

function pathOf(frame: Frame): string {
  const keys: (string | number)[] = [];
  for (let at: Frame = frame; at.parent; at = at.parent) keys.unshift(at.key);
  const path = keys.reduce<string>(
    (before, key) => (typeof key === 'number' ? `${before}[${key}]` : joinPath(before, printable(key))),
    '',
  );
  return path.length > 300 ? `${path.slice(0, 300)}…` : path;
}

/** A key as it may be shown: short, and without what made it unfit. */
function printable(key: string): string {
  const text = key.replaceAll(/\p{Surrogate}|\0/gu, '\uFFFD');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
