import { isPlainObject } from '@symphony/model';

const MAX_LENGTH = 1000;
const STEP =
  /\.([^.[\]*]+)|\.?\[\s*(?:'([^']*)'|"([^"]*)")\s*\]|\[\s*(-?\d+)\s*\]|(\.\*|\[\s*\*\s*\])|\[\s*(-?\d*)\s*:\s*(-?\d*)\s*\]|\[\s*\?\s*\(\s*@((?:\.[^.[\]\s=!<>()]+)+)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|"[^"]*"|-?[\d.]+|true|false)\s*)?\)\s*\]/y;

/** What a path selects nothing by. */
class NoMatch extends Error {}

/**
 * Evaluates a JSONPath in the dialect of Symphony's `path` query: `$` or `@`, then `.name`, `['name']`, `[n]` (negative
 * from the end), `[*]`, `[a:b]`, `[?(@.field == 'value')]`. A name behind a list is looked up in each element.
 * @returns undefined when the path cannot be read or selects nothing
 */
export function evaluatePath(root: unknown, path: string): unknown {
  if (path.length > MAX_LENGTH || !/^[$@]/.test(path)) return undefined;
  let value = root;
  let at = 1;
  while (at < path.length) {
    STEP.lastIndex = at;
    const step = STEP.exec(path);
    if (!step) return undefined;
    at = STEP.lastIndex;
    try {
      value = apply(value, step);
    } catch (error) {
      if (error instanceof NoMatch) return undefined;
      throw error;
    }
  }
  return value;
}

function apply(value: unknown, step: RegExpExecArray): unknown {
  const [, dotted, quoted, doubleQuoted, index, every, from, to, field, operator, literal] = step;
  const name = dotted ?? quoted ?? doubleQuoted;
  if (name !== undefined) return member(value, name);
  if (every !== undefined) return isPlainObject(value) ? Object.values(value) : list(value);
  const items = list(value);
  if (index !== undefined) return element(items, Number(index));
  if (from !== undefined && to !== undefined) return slice(items, from, to);
  const names = (field ?? '').split('.').slice(1);
  return items.filter((item) => passes(item, names, operator, literal));
}

function member(value: unknown, name: string): unknown {
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) =>
      isPlainObject(item) && Object.hasOwn(item, name) ? [item[name]] : [],
    );
  }
  if (!isPlainObject(value) || !Object.hasOwn(value, name)) throw new NoMatch();
  return value[name];
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new NoMatch();
  return value;
}

function element(items: unknown[], index: number): unknown {
  if (index >= items.length || index < -items.length) throw new NoMatch();
  return items.at(index);
}

function slice(items: unknown[], from: string, to: string): unknown[] {
  return items.slice(from === '' ? 0 : Number(from), to === '' ? items.length : Number(to));
}

function passes(
  item: unknown,
  names: readonly string[],
  operator: string | undefined,
  literal = '',
): boolean {
  let value: unknown = item;
  for (const name of names) {
    if (!isPlainObject(value) || !Object.hasOwn(value, name)) return false;
    value = value[name];
  }
  if (operator === undefined) return value !== undefined && value !== null;
  return compare(value, operator, literalOf(literal));
}

function literalOf(text: string): string | number | boolean {
  if (/^['"]/.test(text)) return text.slice(1, -1);
  return text === 'true' || text === 'false' ? text === 'true' : Number(text);
}

function compare(left: unknown, operator: string, right: string | number | boolean): boolean {
  if (operator === '==') return left === right;
  if (operator === '!=') return left !== right;
  const comparable =
    (typeof left === 'number' && typeof right === 'number') ||
    (typeof left === 'string' && typeof right === 'string');
  if (!comparable) return false;
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    default:
      return left >= right;
  }
}
