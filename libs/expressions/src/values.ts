import type { Budget } from './limits.js';

/** What an evaluation hands out: JSON. Integers beyond 2^53 are the text of their digits, never rounded. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A value inside an evaluation: JSON, with integers beyond 2^53 as bigint. */
export type Value =
  string | number | bigint | boolean | null | readonly Value[] | { readonly [key: string]: Value };

export type MapValue = { readonly [key: string]: Value };

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** An object with keys of its own; objects that say how they look in JSON (dates) are values, not maps. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !('toJSON' in value && typeof value.toJSON === 'function');
}

export function isMapValue(value: Value): value is MapValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Takes a value of the caller's context into the evaluation: a copy that holds JSON only. What JSON does not know
 * (undefined, functions) is null; objects with a `toJSON` take the form that it gives.
 */
export function toValue(input: unknown, budget: Budget, depth = 0): Value {
  // Copying is cheap; a large deployment as the context value must not use up the budget.
  budget.step(0.1);
  budget.depth(depth);
  switch (typeof input) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return input;
    case 'number':
      return Number.isFinite(input) ? input : String(input);
    case 'object': {
      if (input === null) return null;
      if (isList(input)) return input.map((item) => toValue(item, budget, depth + 1));
      if (isMap(input)) return mapValues(input, (item) => toValue(item, budget, depth + 1));
      return ownJson(input);
    }
    default:
      return null;
  }
}

function ownJson(input: object): Value {
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch {
    text = undefined;
  }
  return text === undefined ? null : (JSON.parse(text) as Value);
}

/** A map with the same keys; safe for keys such as `__proto__`. */
function mapValues<T, R>(
  map: Readonly<Record<string, T>>,
  change: (value: T, key: string) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}

/** The value as handed out: bigints become the text of their digits, everything else stays as it is. */
export function toJsonValue(value: Value): JsonValue {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? value.map(toJsonValue) : mapValues(value as MapValue, toJsonValue);
}

/** Decimal digits without an exponent: `1e21` is spelled out, because text that is joined reads better so. */
function numberText(value: number | bigint): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0');
}

/**
 * The text of a value where text is joined. Lists print as `[a b]` and maps as `map[k:v]` with sorted keys: the
 * form that templates written for Symphony expect. Null is the empty text.
 */
export function textOf(value: Value, budget: Budget): string {
  if (value === null) return '';
  const text = nestedText(value, budget, 0);
  // Handling a long text takes time even where it produces nothing.
  budget.step(text.length / 1024);
  return text;
}

function nestedText(value: Value, budget: Budget, depth: number): string {
  budget.step();
  budget.depth(depth);
  if (value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return numberText(value);
  if (typeof value === 'boolean') return String(value);
  if (isMapValue(value)) {
    const entries = sortedEntries(value).map(
      ([key, item]) => `${key}:${nestedText(item, budget, depth + 1)}`,
    );
    return budget.produce(`map[${entries.join(' ')}]`);
  }
  return budget.produce(`[${value.map((item) => nestedText(item, budget, depth + 1)).join(' ')}]`);
}

/** JSON text: keys sorted, so that equal values give equal text; no HTML escapes; all digits of integers. */
export function jsonText(value: Value, budget: Budget, depth = 0): string {
  budget.step();
  budget.depth(depth);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return budget.produce(JSON.stringify(value));
  if (isMapValue(value)) {
    const entries = sortedEntries(value).map(
      ([key, item]) => `${JSON.stringify(key)}:${jsonText(item, budget, depth + 1)}`,
    );
    return budget.produce(`{${entries.join(',')}}`);
  }
  return budget.produce(`[${value.map((item) => jsonText(item, budget, depth + 1)).join(',')}]`);
}

/** The text of a value that names something (a key, an object, a path): lists and maps as JSON. */
export function nameOf(value: Value, budget: Budget): string {
  return typeof value === 'object' && value !== null ? jsonText(value, budget) : textOf(value, budget);
}

function sortedEntries(map: MapValue): [string, Value][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
