import { InvalidInputError, isPlainObject, joinPath, type Problem } from '@symphony/model';
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
