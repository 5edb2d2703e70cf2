import type { Node } from './ast.js';
import type { EvaluationContext } from './context.js';
import type { ExpressionErrorCode, ExpressionError } from './errors.js';
import type { Budget } from './limits.js';
import type { Value } from './values.js';

/** What a function may use while it is evaluated. */
export interface Evaluation {
  readonly context: EvaluationContext;
  readonly budget: Budget;
  evaluate(node: Node): Value;
  /** The evaluated node as a name: text, digits of numbers, JSON of lists and maps. */
  nameOf(node: Node): string;
  /** The evaluated node as text. */
  textOf(node: Node): string;
  /** The text of a value. */
  format(value: Value): string;
  /** A value of the context, as JSON. */
  adopt(value: unknown): Value;
  /**
   * Evaluates the texts of a value found under `key` that are templates: with `whole` those that are one
   * expression and nothing else, with `any` also those that contain one, in lists and maps too. A key that is
   * being evaluated already is a circle: ExpressionCircular.
   */
  resolve(value: Value, key: string, which: 'whole' | 'any'): Value;
  /** From here on the result counts as secret. */
  markSensitive(): void;
  /** A value for a message: quoted and short, or hidden when it may come from a secret. */
  shown(value: string): string;
  error(code: ExpressionErrorCode, message: string): ExpressionError;
}

export interface FunctionDefinition {
  /** Number of arguments: at least, at most. */
  readonly arity: readonly [least: number, most: number];
  evaluate(args: readonly Node[], evaluation: Evaluation): Value;
}

export type FunctionTable = Readonly<Record<string, FunctionDefinition>>;

/** The node at a position that the arity guarantees. */
export function argument(args: readonly Node[], position: number): Node {
  return args[position] ?? { kind: 'empty' };
}
