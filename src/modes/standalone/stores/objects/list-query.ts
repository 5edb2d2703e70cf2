import {
  fieldPath,
  type ListQuery,
  type ObjectPosition,
  type Requirement,
} from '../../../../modules/state/index.js';
import { OBJECT_COLUMNS } from './object-row.js';

/** Fields with an index of their own, or that are columns; any other path is looked up in its JSON document. */
const FIELD_COLUMNS: Readonly<Record<string, string>> = {
  'metadata.name': 'o.name',
  'metadata.namespace': 'o.namespace',
  'metadata.uid': 'o.uid::text',
  'metadata.generation': 'o.generation::text',
  'metadata.etag': 'o.version::text',
  'spec.solution': `o.spec ->> 'solution'`,
  'spec.target.name': `o.spec #>> '{target,name}'`,
  'spec.displayName': `o.spec ->> 'displayName'`,
  'status.status': `s.engine ->> 'status'`,
};

/** What a query is made of: its text has placeholders only, every value from outside is a parameter. */
class Parameters {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** The statement for one page, with one row more than `limit` to see whether there is another. */
export function listStatement(
  query: ListQuery,
  after: ObjectPosition | undefined,
): { text: string; values: unknown[] } {
  const parameters = new Parameters();
  const conditions = [`o.kind = ${parameters.add(query.kind)}`];
  if (query.namespace !== undefined) conditions.push(`o.namespace = ${parameters.add(query.namespace)}`);
  if (after) {
    conditions.push(
      `(o.namespace, o.name) > (${parameters.add(after.namespace)}, ${parameters.add(after.name)})`,
    );
  }
  for (const requirement of query.labels ?? []) conditions.push(labelCondition(requirement, parameters));
  for (const requirement of query.fields ?? []) conditions.push(fieldCondition(requirement, parameters));
  const limit = query.limit === undefined ? '' : `LIMIT ${parameters.add(query.limit + 1)}`;
  const text = `
  SELECT ${OBJECT_COLUMNS}
    FROM objects o LEFT JOIN object_status s USING (uid)
   WHERE ${conditions.join('\n     AND ')}
   ORDER BY o.namespace, o.name ${limit}`;
  return { text, values: parameters.values };
}

/** Containment rather than `->>`, because that is what the GIN index serves. */
function labelCondition({ key, operator, values }: Requirement, parameters: Parameters): string {
  if (operator === 'exists' || operator === 'notExists') {
    const exists = `o.labels ? ${parameters.add(key)}`;
    return operator === 'exists' ? exists : `NOT (${exists})`;
  }
  const contains = values.map(
    (value) => `o.labels @> ${parameters.add(JSON.stringify({ [key]: value }))}::jsonb`,
  );
  const any = `(${contains.join(' OR ')})`;
  return operator === '!=' || operator === 'notIn' ? `NOT ${any}` : any;
}

/** A field that is not there counts as empty. */
function fieldCondition({ key, operator, values }: Requirement, parameters: Parameters): string {
  const field = fieldExpression(key, parameters);
  const value = values[0] ?? '';
  const negated = operator === '!=';
  if (value === '') return `coalesce(${field}, '') ${negated ? '<>' : '='} ''`;
  const parameter = `${parameters.add(value)}::text`;
  return negated ? `${field} IS DISTINCT FROM ${parameter}` : `${field} = ${parameter}`;
}

function fieldExpression(key: string, parameters: Parameters): string {
  const column = Object.hasOwn(FIELD_COLUMNS, key) ? FIELD_COLUMNS[key] : undefined;
  if (column !== undefined) return column;
  const [root, first = '', ...rest] = fieldPath(key);
  const within = (document: string, path: string[]) => `${document} #>> ${parameters.add(path)}::text[]`;
  if (root === 'spec') return within('o.spec', [first, ...rest]);
  if (root === 'status') {
    return first === 'properties' ? within('s.reported', rest) : within('s.engine', [first, ...rest]);
  }
  if (first === 'labels' || first === 'annotations') return within(`o.${first}`, rest);
  // Nothing else of the metadata can be asked for; like any field that is not there it is empty.
  return 'NULL::text';
}
