import { validateSync } from 'class-validator';
import { InvalidInputError, type Problem } from './errors.js';
import {
  fieldsOf,
  isLenient,
  isPlainObject,
  MAX_ENTRIES,
  type FieldShape,
  type ModelClass,
} from './fields.js';

/** More would only hide the first ones. */
const MAX_PROBLEMS = 50;

/**
 * Turns decoded JSON into an instance of a model class. A `null` counts as absent, as in Symphony.
 * @throws InvalidInputError listing every problem with its path.
 */
export function parseAs<T extends object>(type: ModelClass<T>, input: unknown, path = ''): T {
  const problems: Problem[] = [];
  const value = read(type, input, path, problems);
  if (problems.length > 0 || value === undefined) {
    const first = problems[0];
    const where = first?.path ? `${first.path}: ` : '';
    throw new InvalidInputError(
      `The input is not valid: ${where}${first?.message ?? 'nothing was sent'}.`,
      problems.slice(0, MAX_PROBLEMS),
    );
  }
  return value as T;
}

function read(type: ModelClass, input: unknown, path: string, problems: Problem[]): object | undefined {
  if (!isPlainObject(input)) {
    problems.push({ path, message: `must be an object, but is ${describe(input)}` });
    return undefined;
  }
  const value = new type() as Record<string, unknown>;
  const fields = fieldsOf(type);
  reportUnknownKeys(type, fields, input, path, problems);
  for (const shape of fields) {
    const raw = Object.hasOwn(input, shape.name) ? input[shape.name] : undefined;
    const at = join(path, shape.name);
    if (raw === undefined || raw === null) {
      if (shape.required) problems.push({ path: at, message: 'is required' });
      continue;
    }
    value[shape.name] = readField(shape, raw, at, problems);
  }
  reportBrokenRules(value, path, problems);
  return value;
}

function readField(shape: FieldShape, raw: unknown, path: string, problems: Problem[]): unknown {
  if (shape.kind === 'one' && shape.type) return read(shape.type(), raw, path, problems);
  if (shape.kind !== 'many' || !shape.type) return raw;
  if (!Array.isArray(raw)) {
    problems.push({ path, message: `must be a list, but is ${describe(raw)}` });
    return undefined;
  }
  const limit = shape.max ?? MAX_ENTRIES;
  if (raw.length > limit) {
    problems.push({ path, message: `must have at most ${limit} entries` });
    return undefined;
  }
  const type = shape.type();
  const items = raw.map((item, index) => read(type, item, `${path}[${index}]`, problems));
  if (shape.uniqueBy) reportDuplicates(items, shape.uniqueBy, path, problems);
  return items;
}

function reportUnknownKeys(
  type: ModelClass,
  fields: readonly FieldShape[],
  input: Record<string, unknown>,
  path: string,
  problems: Problem[],
): void {
  if (isLenient(type)) return;
  const known = new Set(fields.map((shape) => shape.name));
  for (const key of Object.keys(input)) {
    if (known.has(key)) continue;
    const close = fields.find((shape) => shape.name.toLowerCase() === key.toLowerCase());
    const hint = close ? `did you mean ${close.name}?` : `known fields are ${[...known].join(', ')}`;
    problems.push({ path: join(path, key), message: `is not a known field; ${hint}` });
  }
}

function reportBrokenRules(value: object, path: string, problems: Problem[]): void {
  const broken = validateSync(value, {
    skipMissingProperties: true,
    forbidUnknownValues: false,
    stopAtFirstError: true,
  });
  for (const rule of broken) {
    for (const message of Object.values(rule.constraints ?? {})) {
      problems.push({ path: join(path, rule.property), message });
    }
  }
}

function reportDuplicates(
  items: readonly (object | undefined)[],
  key: string,
  path: string,
  problems: Problem[],
): void {
  const seen = new Map<unknown, number>();
  items.forEach((item, index) => {
    const value = item ? (item as Record<string, unknown>)[key] : undefined;
    if (value === undefined) return;
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    else {
      problems.push({
        path: `${path}[${index}].${key}`,
        message: `${JSON.stringify(value)} is used twice (also at ${path}[${first}]); names must be unique`,
      });
    }
  });
}

/** `a.b`, or `a["odd key"]` where the key would be ambiguous. */
export function join(path: string, key: string): string {
  if (!/^[\w$-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return `a ${typeof value}`;
}
