import { InvalidInputError } from '@symphony/model';
import type { Requirement } from './object-store.js';

const MAX_TERMS = 50;
const MAX_DEPTH = 20;
/** `key`, `!key`, `key=value` and its relatives, `key in (a,b)`. */
const TERM =
  /^(?:(!)\s*([^\s=!(),]+)|([^\s=!(),]+)(?:\s*(==|=|!=)([^=!(),]*)|\s+(in|notin)\s*\(([^()]*)\))?)$/;
const FIELD_ROOTS = ['metadata', 'spec', 'status'];

/**
 * Reads a label selector in Kubernetes' syntax: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
 * @throws InvalidInputError naming the term
 */
export function parseLabelSelector(text: string, parameter = 'label-selector'): Requirement[] {
  return termsOf(text, parameter).map((term) => readTerm(term, parameter));
}

/**
 * Reads a field selector: `metadata.name=a,spec.solution!=b`; only `=`, `==` and `!=`.
 * @throws InvalidInputError naming the term
 */
export function parseFieldSelector(text: string, parameter = 'field-selector'): Requirement[] {
  return termsOf(text, parameter).map((term) => {
    const requirement = readTerm(term, parameter);
    if (requirement.operator !== '=' && requirement.operator !== '!=') {
      throw unreadable(parameter, term, 'a field is compared with = or !=');
    }
    const [root = ''] = fieldPath(requirement.key, parameter);
    if (!FIELD_ROOTS.includes(root)) {
      throw unreadable(
        parameter,
        term,
        'a field is a path below metadata, spec or status, for example spec.solution',
      );
    }
    return requirement;
  });
}

/**
 * The segments of `spec.target.name`, `spec.components[0].name` or `metadata.labels["a.b/c"]`.
 * @throws InvalidInputError when it is no path
 */
export function fieldPath(path: string, parameter = 'field-selector'): string[] {
  const segments: string[] = [];
  const segment = /\.?([^.[\]"]+)|\[(\d+)\]|\["([^"]+)"\]/y;
  while (segment.lastIndex < path.length) {
    const match = segment.exec(path);
    const name = match?.[1] ?? match?.[2] ?? match?.[3];
    if (name === undefined || segments.length >= MAX_DEPTH) {
      throw unreadable(parameter, path, 'a path looks like spec.target.name or metadata.labels["a.b/c"]');
    }
    segments.push(name);
  }
  return segments;
}

/** Splits at commas outside parentheses. */
function termsOf(text: string, parameter: string): string[] {
  const terms: string[] = [];
  let inside = false;
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (char === '(' || char === ')') inside = char === '(';
    if (at < text.length && (char !== ',' || inside)) continue;
    const term = text.slice(from, at).trim();
    if (term !== '') terms.push(term);
    from = at + 1;
  }
  if (terms.length > MAX_TERMS) {
    throw unreadable(parameter, `${terms.length} terms`, `at most ${MAX_TERMS} terms are read`);
  }
  return terms;
}

function readTerm(term: string, parameter: string): Requirement {
  const match = TERM.exec(term);
  if (!match) {
    throw unreadable(parameter, term, 'a term is one of k=v, k!=v, k in (a,b), k notin (a,b), k, !k');
  }
  const [, not, absentKey, key = '', comparison, value = '', set, list = ''] = match;
  if (not) return { key: absentKey ?? '', operator: 'notExists', values: [] };
  if (comparison) return { key, operator: comparison === '!=' ? '!=' : '=', values: [value.trim()] };
  if (set) {
    const values = list.split(',').map((item) => item.trim());
    return { key, operator: set === 'in' ? 'in' : 'notIn', values };
  }
  return { key, operator: 'exists', values: [] };
}

function unreadable(parameter: string, term: string, meaning: string): InvalidInputError {
  const shown = term.length > 80 ? `${term.slice(0, 80)}…` : term;
  return new InvalidInputError(`The selector cannot be read at "${shown}": ${meaning}.`, [
    { path: parameter, message: meaning },
  ]);
}
