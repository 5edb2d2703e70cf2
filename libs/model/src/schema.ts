import { fieldsOf, isLenient, type FieldShape, type ModelClass } from './fields.js';

/** A JSON schema in the subset that OpenAPI 3.0 and Kubernetes structural schemas share. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean' | 'number';
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  maxProperties?: number;
  format?: string;
  default?: unknown;
  pattern?: string;
  enum?: readonly string[];
  nullable?: boolean;
  $ref?: string;
}

/** How a nested class is written: in place, or as a reference to a named schema. */
export type NestedSchema = (type: ModelClass) => Schema;

/** The schema of a model class; nested classes are written in place unless `nested` says otherwise. */
export function schemaOf(type: ModelClass, nested: NestedSchema = (inner) => schemaOf(inner)): Schema {
  const fields = fieldsOf(type);
  const required = fields.filter((shape) => shape.required).map((shape) => shape.name);
  const schema: Schema = {
    type: 'object',
    properties: Object.fromEntries(fields.map((shape) => [shape.name, schemaOfField(shape, nested)])),
  };
  if (required.length > 0) schema.required = required;
  if (isLenient(type)) schema.additionalProperties = true;
  return schema;
}

function schemaOfField(shape: FieldShape, nested: NestedSchema): Schema {
  const schema = bareSchemaOfField(shape, nested);
  if (shape.description && !schema.$ref) schema.description = shape.description;
  if (shape.default !== undefined && !schema.$ref) schema.default = shape.default;
  return schema;
}

function bareSchemaOfField(shape: FieldShape, nested: NestedSchema): Schema {
  switch (shape.kind) {
    case 'text':
      return {
        type: 'string',
        ...(shape.min === undefined ? {} : { minLength: shape.min }),
        ...(shape.max === undefined || shape.oneOf ? {} : { maxLength: shape.max }),
        ...(shape.pattern === undefined ? {} : { pattern: shape.pattern.source }),
        ...(shape.oneOf === undefined ? {} : { enum: shape.oneOf }),
      };
    case 'flag':
      return { type: 'boolean' };
    case 'whole':
      return { type: 'integer', ...(shape.min === undefined ? {} : { minimum: shape.min }) };
    case 'time':
      return { type: 'string', format: 'date-time' };
    case 'free':
      return {};
    case 'freeMap':
      return { type: 'object', additionalProperties: true };
    case 'textMap':
      return { type: 'object', additionalProperties: { type: 'string' }, ...bound('maxProperties', shape) };
    case 'texts':
      return { type: 'array', items: { type: 'string' }, ...bound('maxItems', shape) };
    case 'one':
      return shape.type ? nested(shape.type()) : {};
    case 'many':
      return { type: 'array', items: shape.type ? nested(shape.type()) : {}, ...bound('maxItems', shape) };
    default:
      return {};
  }
}

function bound(name: 'maxItems' | 'maxProperties', shape: FieldShape): Schema {
  return shape.max === undefined ? {} : { [name]: shape.max };
}
