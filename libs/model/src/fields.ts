import {
  IsBoolean,
  IsIn,
  IsInt,
  IsISO8601,
  IsObject,
  IsString,
  Matches,
  MaxLength,
  Min,
  MinLength,
  ValidateBy,
} from 'class-validator';

/**
 * One decorator per kind of field. Each applies class-validator's rules and remembers the field's shape, so that
 * parsing (`parseAs`), OpenAPI and CRD schemas (`schemaOf`) all come from the same class.
 */
type FieldKind =
  'text' | 'flag' | 'whole' | 'time' | 'free' | 'freeMap' | 'textMap' | 'texts' | 'one' | 'many';

export interface FieldOptions {
  required?: boolean;
  description?: string;
  /** What an absent value means, always. Parsing fills nothing in; an API server that reads the schema does. */
  default?: string | boolean;
}

export interface FieldShape extends FieldOptions {
  name: string;
  kind: FieldKind;
  /** The class of a nested field, resolved lazily because classes may refer to each other. */
  type?: () => ModelClass;
  min?: number;
  max?: number;
  pattern?: RegExp;
  oneOf?: readonly string[];
  /** Elements of a list are told apart by this key. */
  uniqueBy?: string;
  /** A rule over the value alone. */
  rule?: FieldRule;
}

export type ModelClass<T extends object = object> = new () => T;

const shapes = new WeakMap<object, FieldShape[]>();
const lenient = new WeakSet<object>();
const classRules = new WeakMap<object, FieldRule[]>();

/** More entries than a list or map may have unless its field says otherwise; what is under a rule needs a bound. */
export const MAX_ENTRIES = 10_000;

/**
 * What a Kubernetes API server checks of an object of this class beyond its shape, in CEL. `self` is the object, `oldSelf`
 * the stored one; a rule that names `oldSelf` is asked only when there is one. Where there is no such server, the state
 * module's object rules say the same.
 */
export interface FieldRule {
  cel: string;
  /** A sentence: what is wrong, and what to do. */
  message: string;
  /** The field that is to blame, for example `.scope`. */
  fieldPath?: string;
}

/** Declares what `FieldRule` describes. */
export function Rule(rule: FieldRule): ClassDecorator {
  return (target) => {
    // Decorators are applied from the last to the first.
    classRules.set(target, [rule, ...(classRules.get(target) ?? [])]);
  };
}

/** The rules of a model class, in the order of their declaration. */
export function rulesOf(type: ModelClass): readonly FieldRule[] {
  return classRules.get(type) ?? [];
}

/** Marks a class whose unknown keys are dropped instead of refused. */
export function Lenient(): ClassDecorator {
  return (target) => {
    lenient.add(target);
  };
}

export function isLenient(type: ModelClass): boolean {
  return lenient.has(type);
}

/** The declared fields of a model class, inherited ones first. */
export function fieldsOf(type: ModelClass): readonly FieldShape[] {
  const parent = Object.getPrototypeOf(type) as ModelClass | null;
  const inherited = parent && parent !== Function.prototype ? fieldsOf(parent) : [];
  return [...inherited, ...(shapes.get(type) ?? [])];
}

function field(shape: Omit<FieldShape, 'name'>, validators: readonly PropertyDecorator[]): PropertyDecorator {
  return (prototype, key) => {
    const owner = prototype.constructor;
    const list = shapes.get(owner) ?? [];
    list.push({ ...shape, name: String(key) });
    shapes.set(owner, list);
    for (const validate of validators) validate(prototype, key);
  };
}

export interface TextOptions extends FieldOptions {
  min?: number;
  max?: number;
  pattern?: RegExp;
  /** What a value that breaks `pattern` should have looked like. */
  patternMeaning?: string;
  oneOf?: readonly string[];
  rule?: FieldRule;
}

const DEFAULT_TEXT_LIMIT = 64 * 1024;

/** A string, by default of at most 64 KiB. */
export function Text(options: TextOptions = {}): PropertyDecorator {
  const max = options.max ?? DEFAULT_TEXT_LIMIT;
  const rules = [IsString({ message: 'must be a string' })];
  rules.push(MaxLength(max, { message: `must have at most ${max} characters` }));
  if (options.min) rules.push(MinLength(options.min, { message: 'must not be empty' }));
  if (options.oneOf)
    rules.push(IsIn([...options.oneOf], { message: `must be one of ${options.oneOf.join(', ')}` }));
  if (options.pattern) {
    rules.push(
      Matches(options.pattern, {
        message: options.patternMeaning ?? `must match ${String(options.pattern)}`,
      }),
    );
  }
  return field({ ...options, max, kind: 'text' }, rules);
}

export function Flag(options: FieldOptions = {}): PropertyDecorator {
  return field({ ...options, kind: 'flag' }, [IsBoolean({ message: 'must be true or false' })]);
}

/** A whole number. */
export function Whole(options: FieldOptions & { min?: number } = {}): PropertyDecorator {
  const rules = [IsInt({ message: 'must be a whole number' })];
  if (options.min !== undefined) rules.push(Min(options.min, { message: `must be at least ${options.min}` }));
  return field({ ...options, kind: 'whole' }, rules);
}

/** A point in time, as RFC 3339 writes it. */
export function Time(options: FieldOptions = {}): PropertyDecorator {
  return field({ ...options, kind: 'time' }, [
    IsISO8601({ strict: true }, { message: 'must be a time such as 2026-01-31T12:00:00Z' }),
  ]);
}

/** Any JSON value; kept exactly as it was sent. */
export function Free(options: FieldOptions = {}): PropertyDecorator {
  return field({ ...options, kind: 'free' }, []);
}

/** An object with any JSON values; kept exactly as it was sent. */
export function FreeMap(options: FieldOptions = {}): PropertyDecorator {
  return field({ ...options, kind: 'freeMap' }, [IsObject({ message: 'must be an object' })]);
}

/** An object whose values are all strings; of at most `max` entries. */
export function TextMap(options: FieldOptions & { max?: number } = {}): PropertyDecorator {
  const max = options.max ?? MAX_ENTRIES;
  return field({ ...options, max, kind: 'textMap' }, [
    ValidateBy(
      {
        name: 'maxEntries',
        validator: {
          validate: (value: unknown) => !isPlainObject(value) || Object.keys(value).length <= max,
        },
      },
      { message: `must have at most ${max} entries` },
    ),
    ValidateBy(
      {
        name: 'textMap',
        validator: {
          validate: (value: unknown) =>
            isPlainObject(value) && Object.values(value).every((item) => typeof item === 'string'),
        },
      },
      { message: 'must be an object whose values are all strings; put numbers and true/false in quotes' },
    ),
  ]);
}

/** A list of strings; of at most `max` entries. */
export function Texts(options: FieldOptions & { max?: number } = {}): PropertyDecorator {
  const max = options.max ?? MAX_ENTRIES;
  return field({ ...options, max, kind: 'texts' }, [
    ValidateBy(
      {
        name: 'maxEntries',
        validator: { validate: (value: unknown) => !Array.isArray(value) || value.length <= max },
      },
      { message: `must have at most ${max} entries` },
    ),
    ValidateBy(
      {
        name: 'texts',
        validator: {
          validate: (value: unknown) =>
            Array.isArray(value) && value.every((item) => typeof item === 'string'),
        },
      },
      { message: 'must be a list of strings' },
    ),
  ]);
}

/** A nested model object. */
export function One(type: () => ModelClass, options: FieldOptions = {}): PropertyDecorator {
  return field({ ...options, kind: 'one', type }, []);
}

/** A list of model objects; with `uniqueBy`, no two may share the value of that key. */
export function Many(
  type: () => ModelClass,
  options: FieldOptions & { uniqueBy?: string; max?: number } = {},
): PropertyDecorator {
  return field({ ...options, max: options.max ?? MAX_ENTRIES, kind: 'many', type }, []);
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
