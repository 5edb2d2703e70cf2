import { compareNumbers, isNumber } from '../arithmetic.js';
import type { Budget } from '../limits.js';
import { isMapValue, type Value } from '../values.js';
import { parsePath } from './parser.js';
import type { FilterOperand, FilterOperator, FilterTest, Step } from './path.js';

/**
 * All values that the path selects, in document order. Every visited value costs a step of the budget: a path
 * such as `$..*..*..*` ends with an error, not with a hanging process.
 *
 * Nothing found in something that is not a list is tried once more in a list that holds it, so that
 * `$[?(@.state=='ok')]` also filters a single object.
 */
export function query(root: Value, path: string, budget: Budget): Value[] {
  const steps = parsePath(path);
  const found = select([root], steps, root, budget);
  return found.length > 0 || Array.isArray(root) ? found : select([[root]], steps, [root], budget);
}

function select(start: readonly Value[], steps: readonly Step[], root: Value, budget: Budget): Value[] {
  let current: Value[] = [...start];
  for (const step of steps) {
    const next: Value[] = [];
    for (const value of current) apply(step, value, root, budget, next);
    current = next;
  }
  return current;
}

/** A step that does not fit a value (a field of a list, an index of a map) selects nothing from it. */
function apply(step: Step, value: Value, root: Value, budget: Budget, into: Value[]): void {
  budget.step();
  switch (step.kind) {
    case 'field':
      if (isMapValue(value) && Object.hasOwn(value, step.name)) into.push(value[step.name] ?? null);
      break;
    case 'every':
      push(into, childrenOf(value), budget);
      break;
    case 'descend':
      descend(value, budget, into);
      break;
    case 'index':
      if (Array.isArray(value)) push(into, at(value, step.index), budget);
      break;
    case 'slice':
      if (Array.isArray(value)) push(into, slice(value, step.start, step.end, step.by), budget);
      break;
    case 'union':
      for (const member of step.members) apply(member, value, root, budget, into);
      break;
    case 'filter':
      if (Array.isArray(value)) {
        push(
          into,
          (value as readonly Value[]).filter((item) => passes(step, item, root, budget)),
          budget,
        );
      }
      break;
  }
}

function push(into: Value[], values: readonly Value[], budget: Budget): void {
  budget.step(values.length);
  for (const value of values) into.push(value);
}

function childrenOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  return isMapValue(value) ? Object.values(value) : [];
}

function descend(value: Value, budget: Budget, into: Value[], depth = 0): void {
  budget.step();
  budget.depth(depth);
  into.push(value);
  for (const child of childrenOf(value)) descend(child, budget, into, depth + 1);
}

function at(list: readonly Value[], index: number): readonly Value[] {
  const value = list.at(index);
  return value === undefined ? [] : [value];
}

function slice(
  list: readonly Value[],
  start: number | undefined,
  end: number | undefined,
  by: number,
): Value[] {
  return list.slice(start, end).filter((_, position) => position % by === 0);
}

function passes(
  filter: { left: FilterOperand; test?: FilterTest },
  item: Value,
  root: Value,
  budget: Budget,
): boolean {
  const left = operandValues(filter.left, item, root, budget);
  if (!filter.test) return left.length > 0;
  const right = operandValues(filter.test.right, item, root, budget);
  const [a] = left;
  const [b] = right;
  return a !== undefined && b !== undefined && holds[filter.test.operator](orderOf(a, b));
}

function operandValues(operand: FilterOperand, item: Value, root: Value, budget: Budget): readonly Value[] {
  budget.step();
  if (operand.kind === 'literal') return [operand.value];
  return select([operand.fromRoot ? root : item], operand.steps, root, budget);
}

type Order = -1 | 0 | 1 | undefined;

const holds: Readonly<Record<FilterOperator, (order: Order) => boolean>> = {
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order === -1,
  '<=': (order) => order === -1 || order === 0,
  '>': (order) => order === 1,
  '>=': (order) => order === 1 || order === 0,
};

/** Numbers compare by size, texts by code unit; values of different kinds are only ever unequal. */
function orderOf(a: Value, b: Value): Order {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  return a === b ? 0 : undefined;
}
