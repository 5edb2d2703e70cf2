import type { Operator } from './ast.js';
import { ExpressionError } from './errors.js';
import type { Budget } from './limits.js';
import type { Value } from './values.js';

/** A value with its text; for a literal the text as written. */
export interface Operand {
  readonly value: Value;
  readonly text: () => string;
}

const nothing = '';

/** Applies one operator: a number when both sides are numbers and the operator computes, else joined text. */
export function combine(left: Operand, operator: Operator, right: Operand, budget: Budget): Value {
  if (isNumber(left.value) && isNumber(right.value)) {
    const result = compute(left.value, operator, right.value, budget);
    if (result !== undefined) return result;
  }
  const symbol = operator === '+' ? nothing : operator;
  return budget.produce(`${left.text()}${symbol}${right.text()}`);
}

export function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** The number with its sign changed. */
export function negate(value: number | bigint): number | bigint {
  return typeof value === 'bigint' ? normalise(-value) : 0 - value;
}

/** -1, 0 or 1. Exact between integers of any size. */
export function compareNumbers(a: number | bigint, b: number | bigint): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The number that a text spells, or undefined. Integers of any size keep all digits. */
export function parseNumber(text: string, budget: Budget): number | bigint | undefined {
  if (text.length > budget.limits.digits) return undefined;
  if (/^[+-]?\d+$/.test(text)) return normalise(BigInt(text.replace(/^\+/, '')));
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** A bigint only where a number would lose digits. */
export function normalise(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;
}

/** Undefined when the operator does not compute, or divides by zero: the result is text then. */
function compute(
  left: number | bigint,
  operator: Operator,
  right: number | bigint,
  budget: Budget,
): number | bigint | undefined {
  const fast = onNumbers(Number(left), operator, Number(right));
  if (fast === undefined) return undefined;
  if (Number.isSafeInteger(left) && Number.isSafeInteger(right) && isExact(fast, operator)) return fast;
  if (isInteger(left) && isInteger(right)) {
    const exact = onIntegers(BigInt(left), operator, BigInt(right));
    if (exact !== undefined) return withinDigits(exact, budget);
  }
  if (!Number.isFinite(fast)) throw outOfRange();
  return fast;
}

function isExact(result: number, operator: Operator): boolean {
  return operator === '/' || Number.isSafeInteger(result);
}

function isInteger(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function onNumbers(left: number, operator: Operator, right: number): number | undefined {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return 0 + left * right;
    case '/':
      return right === 0 ? undefined : 0 + left / right;
    default:
      return undefined;
  }
}

function onIntegers(left: bigint, operator: Operator, right: bigint): bigint | undefined {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      return left % right === 0n ? left / right : undefined;
  }
}

function withinDigits(value: bigint, budget: Budget): number | bigint {
  if (value.toString().length > budget.limits.digits) throw outOfRange();
  return normalise(value);
}

function outOfRange(): ExpressionError {
  return new ExpressionError('ExpressionTooLarge', 'The result of a calculation is too large for a number.');
}
