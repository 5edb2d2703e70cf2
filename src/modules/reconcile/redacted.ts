import { isPlainObject } from '@symphony/model';

/**
 * The same value with every text in it redacted; keys stay, as they are declared and not resolved. What holds no secret is not
 * copied: reports of a hundred thousand components are the rule where secrets are the exception.
 */
export function redactedDeep<T>(value: T, redact: (text: string) => string): T {
  return walk(value, redact) as T;
}

function walk(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    value.forEach((item: unknown, index) => {
      const clean = walk(item, redact);
      if (clean !== item) (copy ??= [...(value as unknown[])])[index] = clean;
    });
    return copy ?? value;
  }
  if (!isPlainObject(value)) return value;
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    const clean = walk(value[key], redact);
    if (clean !== value[key]) (copy ??= { ...value })[key] = clean;
  }
  return copy ?? value;
}
