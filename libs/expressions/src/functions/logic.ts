import type { Node } from '../ast.js';
import { compareNumbers, isNumber, parseNumber } from '../arithmetic.js';
import { argument, type Evaluation, type FunctionDefinition, type FunctionTable } from '../evaluation.js';
import type { Value } from '../values.js';

/** Functions that compare, combine truth values and choose. */
export const logicFunctions: FunctionTable = {
  equal: {
    arity: [2, 2],
    evaluate: (args, evaluation) =>
      equal(evaluation.evaluate(argument(args, 0)), evaluation.evaluate(argument(args, 1)), evaluation),
  },
  and: truth(2, (a, b) => a && b),
  or: truth(2, (a, b) => a || b),
  not: truth(1, (a) => !a),
  gt: comparison((order) => order > 0),
  ge: comparison((order) => order >= 0),
  lt: comparison((order) => order < 0),
  le: comparison((order) => order <= 0),
  between: {
    arity: [3, 3],
    evaluate: (args, evaluation) => {
      const value = number(argument(args, 0), evaluation);
      const low = number(argument(args, 1), evaluation);
      const high = number(argument(args, 2), evaluation);
      return compareNumbers(low, value) <= 0 && compareNumbers(value, high) <= 0;
    },
  },
  in: {
    arity: [2, Number.POSITIVE_INFINITY],
    evaluate: (args, evaluation) => {
      const wanted = evaluation.textOf(argument(args, 0));
      return args.slice(1).some((candidate) => evaluation.textOf(candidate) === wanted);
    },
  },
  if: {
    arity: [3, 3],
    evaluate: (args, evaluation) => {
      const chosen = evaluation.textOf(argument(args, 0)) === 'true' ? 1 : 2;
      return evaluation.evaluate(argument(args, chosen));
    },
  },
};

/** Fractions that differ by less are equal: they are results of floating-point calculations. */
const tolerance = 1e-9;

function equal(a: Value, b: Value, evaluation: Evaluation): boolean {
  if (isNumber(a) && isNumber(b)) {
    const exact = compareNumbers(a, b) === 0;
    const fractions = !Number.isSafeInteger(a) || !Number.isSafeInteger(b);
    const numbers = typeof a === 'number' && typeof b === 'number';
    return exact || (numbers && fractions && Math.abs(a - b) < tolerance);
  }
  if (a === null || b === null) return a === b;
  return evaluation.format(a) === evaluation.format(b);
}

/** All arguments are evaluated, also when the first one decides: a mistake in the second never hides. */
function truth(arity: 1 | 2, combine: (a: boolean, b: boolean) => boolean): FunctionDefinition {
  return {
    arity: [arity, arity],
    evaluate: (args, evaluation) => {
      const [first = false, second = false] = args.map((arg) => boolean(arg, evaluation));
      return combine(first, second);
    },
  };
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** A boolean, or a text that spells one. The number 1 is neither, as in the original. */
function boolean(node: Node, evaluation: Evaluation): boolean {
  const value = evaluation.evaluate(node);
  if (typeof value === 'boolean') return value;
  const spelled = typeof value === 'string' ? booleans.get(value) : undefined;
  if (spelled !== undefined) return spelled;
  const text = evaluation.shown(evaluation.format(value));
  throw evaluation.error('ExpressionInvalidArgument', `${text} is not a boolean; write true or false`);
}

function comparison(holds: (order: number) => boolean): FunctionDefinition {
  return {
    arity: [2, 2],
    evaluate: (args, evaluation) =>
      holds(compareNumbers(number(argument(args, 0), evaluation), number(argument(args, 1), evaluation))),
  };
}

function number(node: Node, evaluation: Evaluation): number | bigint {
  const text = evaluation.textOf(node);
  const parsed = parseNumber(text, evaluation.budget);
  if (parsed !== undefined) return parsed;
  throw evaluation.error('ExpressionInvalidArgument', `${evaluation.shown(text)} is not a number`);
}
