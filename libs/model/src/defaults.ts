import { fieldsOf, isPlainObject, type ModelClass } from './fields.js';

/** A copy with the constant defaults of the model filled in, as an API server with our schemas stores it. */
export function withDefaults(type: ModelClass, value: object): object {
  const filled: Record<string, unknown> = Object.fromEntries(Object.entries(value));
  for (const { name, kind, type: inner, default: fallback } of fieldsOf(type)) {
    const present = filled[name];
    if (present === undefined || present === null) {
      if (fallback !== undefined) filled[name] = fallback;
    } else if (kind === 'one' && inner && isPlainObject(present)) {
      filled[name] = withDefaults(inner(), present);
    } else if (kind === 'many' && inner && Array.isArray(present)) {
      filled[name] = present.map((item: unknown) =>
        isPlainObject(item) ? withDefaults(inner(), item) : item,
      );
    }
  }
  return filled;
}
