import type { StoredObject } from '@symphony/model';
import {
  fieldPath,
  type ObjectPosition,
  type ListQuery,
  type Requirement,
} from '../../../modules/state/index.js';

/** Whether a list with this query shows the object. The rules are those of the SQL in standalone mode. */
export function matches(object: StoredObject, { namespace, labels = [], fields = [] }: ListQuery): boolean {
  return (
    (namespace === undefined || object.namespace === namespace) &&
    labels.every((requirement) => labelMatches(object.labels, requirement)) &&
    fields.every((requirement) => fieldMatches(object, requirement))
  );
}

/** The order of lists: by namespace, then name, byte by byte. */
export function comparePositions(a: ObjectPosition, b: ObjectPosition): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/** Names are ASCII, for which code units and bytes have the same order. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function labelMatches(labels: Readonly<Record<string, string>>, requirement: Requirement): boolean {
  const { key, operator, values } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case 'notExists':
      return value === undefined;
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    // `!=` and `notIn`.
    default:
      return value === undefined || !values.includes(value);
  }
}

/** A field that is not there counts as empty. */
function fieldMatches(object: StoredObject, { key, operator, values }: Requirement): boolean {
  const equal = fieldText(object, key) === (values[0] ?? '');
  return operator === '!=' ? !equal : equal;
}

function fieldText(object: StoredObject, key: string): string {
  const [root = '', ...path] = fieldPath(key);
  const [first = ''] = path;
  if (root === 'spec') return textAt(object.spec, path);
  if (root === 'status') {
    const { engine, reported } = object.status;
    return first === 'properties' ? textAt(reported?.properties, path.slice(1)) : textAt(engine, path);
  }
  const { name, namespace, uid, generation, version: etag, labels, annotations } = object;
  return textAt({ name, namespace, uid, generation, etag, labels, annotations }, path);
}

function textAt(document: unknown, path: readonly string[]): string {
  let value = document;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return '';
    value = (value as Record<string, unknown>)[segment];
  }
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
