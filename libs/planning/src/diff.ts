import { joinPath, type FieldDiff } from '@symphony/model';

/** Stands for a value that may not be shown. */
export const MASK = '•••';

/**
 * The differences of two JSON values, by path; equal values give none.
 * @param sensitivePaths for example `properties.password`: these and all below them are masked on both sides.
 */
export function diffFields(
  before: unknown,
  after: unknown,
  sensitivePaths: readonly string[] = [],
): FieldDiff[] {
  const diffs: FieldDiff[] = [];
  compare(before, after, '', diffs);
  return maskDiffs(diffs, sensitivePaths);
}

/** Masks in place of every sensitive value, also where it is only a part of what a diff shows. */
export function maskDiffs(diffs: readonly FieldDiff[], sensitivePaths: readonly string[]): FieldDiff[] {
  if (sensitivePaths.length === 0) return [...diffs];
  const sensitive = sensitivePaths.map(maskedSegments);
  return diffs.map((diff) => maskOne(diff, sensitive));
}

type Fields = Record<string, unknown>;

function compare(before: unknown, after: unknown, path: string, diffs: FieldDiff[]): void {
  if (Object.is(before, after)) return;
  if (isFields(before) && isFields(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(own(before, key), own(after, key), joinPath(path, key), diffs);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      compare(before[index], after[index], `${path}[${index}]`, diffs);
    }
  } else {
    const diff: FieldDiff = { path };
    if (before !== undefined) diff.before = before;
    if (after !== undefined) diff.after = after;
    diffs.push(diff);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(value: Fields, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function maskOne(diff: FieldDiff, sensitive: readonly string[][]): FieldDiff {
  const at = segmentsOf(diff.path);
  if (sensitive.some((path) => startsWith(at, path))) {
    return {
      path: diff.path,
      ...(diff.before === undefined ? {} : { before: MASK }),
      ...(diff.after === undefined ? {} : { after: MASK }),
      masked: true,
    };
  }
  const inside = sensitive.filter((path) => startsWith(path, at)).map((path) => path.slice(at.length));
  if (inside.length === 0) return diff;
  const masked: FieldDiff = { ...diff, masked: true };
  for (const side of ['before', 'after'] as const) {
    if (masked[side] !== undefined) {
      masked[side] = inside.reduce<unknown>((value, path) => maskInside(value, path), masked[side]);
    }
  }
  return masked;
}

function maskInside(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return MASK;
  // Another shape than the declared one: where the secret would be in it cannot be known.
  if (!isFields(value)) return MASK;
  if (!Object.hasOwn(value, key)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === key ? maskInside(item, rest) : item]),
  );
}

function startsWith(path: readonly string[], prefix: readonly string[]): boolean {
  return prefix.length <= path.length && prefix.every((segment, index) => segment === path[index]);
}

const SEGMENT = /\[("(?:[^"\\]|\\.)*"|\d+)\]|[^.[\]]+/g;

/** `a.b[0]["odd key"]` as `a`, `b`, `0`, `odd key`. */
function segmentsOf(path: string): string[] {
  return [...path.matchAll(SEGMENT)].map(([whole, inner]) => {
    if (inner === undefined) return whole;
    return inner.startsWith('"') ? String(JSON.parse(inner)) : inner;
  });
}

/** Up to the first list: its items may come in another order than declared, so the whole list is masked. */
function maskedSegments(path: string): string[] {
  const list = [...path.matchAll(SEGMENT)].find(([, inner]) => inner !== undefined && !inner.startsWith('"'));
  return segmentsOf(list ? path.slice(0, list.index) : path);
}
