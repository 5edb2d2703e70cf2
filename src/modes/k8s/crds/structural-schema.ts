import { fieldsOf, rulesOf, schemaOf } from '@symphony/model';
import type { FieldRule, FieldShape, ModelClass, Schema } from '@symphony/model';

/** A rule as a CustomResourceDefinition carries it. */
export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
  optionalOldSelf?: true;
}

/** What Kubernetes calls a structural schema: OpenAPI without references, and with words of its own. */
export interface StructuralSchema extends Omit<
  Schema,
  'properties' | 'items' | 'additionalProperties' | '$ref'
> {
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: CelRule[];
}

/**
 * Kept as it was sent; what is wrong in it the engine says. Without a type, since with one `properties: null` would be refused.
 * Nullable, since the server would drop the null again, and count a new generation with each server-side apply.
 */
export const ANYTHING: StructuralSchema = { nullable: true, 'x-kubernetes-preserve-unknown-fields': true };

/**
 * - `strict`: what users write. All that the fields declare is checked.
 * - `tolerant`: what engines write. Only types are checked, and what compares with the stored object (rules that name `oldSelf`):
 *   a status also comes from earlier engines, and one that the server refuses for its meaning tells nobody anything.
 */
export type Strictness = 'strict' | 'tolerant';

/** The structural schema of a model class, made from the same fields as its parser and its OpenAPI schema. */
export function structuralSchemaOf(type: ModelClass, strictness: Strictness = 'strict'): StructuralSchema {
  const shared = schemaOf(type, (inner) => structuralSchemaOf(inner, strictness));
  const properties = fieldsOf(type).map((shape): [string, StructuralSchema] => [
    shape.name,
    fieldSchema(shape, shared.properties?.[shape.name] ?? {}, strictness),
  ]);
  const { required } = shared;
  const rules = rulesOf(type)
    .filter((rule) => strictness === 'strict' || comparesWithStored(rule))
    .map(celRule);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required && strictness === 'strict' ? { required } : {}),
    ...(rules.length > 0 ? { 'x-kubernetes-validations': rules } : {}),
  };
}

export function celRule({ cel, message, fieldPath }: FieldRule): CelRule {
  return { rule: cel, message, ...(fieldPath === undefined ? {} : { fieldPath }) };
}

/** Such a rule is never asked of an object that has no status yet. */
function comparesWithStored({ cel }: FieldRule): boolean {
  return /\boldSelf\b/.test(cel);
}

function fieldSchema(shape: FieldShape, schema: Schema, strictness: Strictness): StructuralSchema {
  const structural = (strictness === 'strict' ? schema : withoutBounds(schema)) as StructuralSchema;
  switch (shape.kind) {
    case 'free':
    case 'freeMap':
      return { ...(shape.description === undefined ? {} : { description: shape.description }), ...ANYTHING };
    case 'many':
      return { ...structural, ...listType(shape, structural.items) };
    case 'texts':
      return { ...structural, 'x-kubernetes-list-type': 'atomic' };
    default:
      return shape.rule && strictness === 'strict'
        ? { ...structural, 'x-kubernetes-validations': [celRule(shape.rule)] }
        : structural;
  }
}

/** Lists whose elements have a unique key are merged by it, and the server refuses a key that comes twice. */
function listType({ uniqueBy }: FieldShape, items: StructuralSchema = {}): StructuralSchema {
  if (uniqueBy === undefined) return { 'x-kubernetes-list-type': 'atomic' };
  const required = [...new Set([...(items.required ?? []), uniqueBy])];
  return {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [uniqueBy],
    items: { ...items, required },
  };
}

const BOUNDS = new Set<keyof Schema>([
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minimum',
  'maximum',
  'maxItems',
  'maxProperties',
]);

function withoutBounds(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !BOUNDS.has(key as keyof Schema)));
}
