import { isPlainObject } from '@symphony/model';

/**
 * The text by which two values are compared: scalars plain (so `1`, `1.0` and `"1"` are equal), lists and objects as
 * JSON with sorted keys and scalars as strings. Symphony compares its own print form, in which `["a b"]` and `["a","b"]`
 * look alike; here they differ.
 */
export function textForm(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `${value}`;
  return JSON.stringify(normalised(value)) ?? '';
}

function normalised(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map(normalised);
  if (isPlainObject(value)) {
    // Pairs, not an object: integer-like keys and `__proto__` would not keep their place in one.
    return {
      object: Object.keys(value)
        .filter((key) => value[key] !== undefined)
        .sort()
        .map((key) => [key, normalised(value[key])]),
    };
  }
  return typeof value === 'symbol' || typeof value === 'function' ? null : textForm(value);
}
