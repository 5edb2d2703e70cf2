import { beginningOf, InvalidInputError, isPlainObject, joinPath, type Problem } from '@symphony/model';
import type { ComponentReport } from '../object-store.js';
import type { Query } from './request.js';

/**
 * The properties that a report names: from `{"status": {"properties": …}}`, from `{"properties": …}`, and from every
 * query parameter but `namespace`. Anything else in the body is ignored, as in Symphony.
 * @throws InvalidInputError with the path of a value that is not a text
 */
export function reportOf(body: unknown, query: Query): Record<string, string> {
  const problems: Problem[] = [];
  const properties = new Map<string, string>();
  if (body !== undefined && body !== null && !isPlainObject(body)) {
    problems.push({ path: '', message: 'must be an object, or left out' });
  } else if (isPlainObject(body)) {
    collect(body['properties'], 'properties', properties, problems);
    const { status } = body;
    if (isPlainObject(status)) collect(status['properties'], 'status.properties', properties, problems);
    else if (status !== undefined && status !== null) {
      problems.push({ path: 'status', message: 'must be an object' });
    }
  }
  const [first] = problems;
  if (first) {
    throw new InvalidInputError(
      `The report is not valid: ${first.path || 'the body'} ${first.message}.`,
      problems,
    );
  }
  for (const [name, value] of Object.entries(query)) {
    if (name !== 'namespace' && value !== undefined) properties.set(name, value);
  }
  return Object.fromEntries(properties);
}

function collect(sent: unknown, path: string, into: Map<string, string>, problems: Problem[]): void {
  if (sent === undefined || sent === null) return;
  if (!isPlainObject(sent)) {
    problems.push({ path, message: 'must be an object whose values are strings' });
    return;
  }
  for (const [name, value] of Object.entries(sent)) {
    if (typeof value === 'string') into.set(name, value);
    else problems.push({ path: joinPath(path, name), message: 'must be a string; put it in quotes' });
  }
}

const MAX_MESSAGE = 1_000;
const STATES: readonly string[] = ['succeeded', 'failed'] satisfies ComponentReport['state'][];

/**
 * What a report on one component says of its outcome: the properties `report.*`, which are taken out of the others. Without
 * `report.state` it is a report of properties like any other.
 * @throws InvalidInputError when the state is not one of those known
 */
export function componentReportOf(
  component: string,
  sent: Record<string, string>,
): { properties: Record<string, string>; report?: ComponentReport } {
  const properties = Object.fromEntries(Object.entries(sent).filter(([name]) => !name.startsWith('report.')));
  const state = sent['report.state'];
  if (state === undefined) return { properties: sent };
  if (!isState(state)) {
    const message = `must be ${STATES.join(' or ')}`;
    throw new InvalidInputError(`The report is not valid: report.state ${message}.`, [
      { path: 'report.state', message },
    ]);
  }
  const optional = (['ticket', 'generation', 'instance'] as const).flatMap((name) => {
    const value = sent[`report.${name}`];
    return value ? [[name, value] as const] : [];
  });
  const message = beginningOf(sent['report.message'] ?? '', MAX_MESSAGE);
  return { properties, report: { component, state, message, ...Object.fromEntries(optional) } };
}

function isState(text: string): text is ComponentReport['state'] {
  return STATES.includes(text);
}
