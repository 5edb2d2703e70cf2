import { ExpressionError } from './errors.js';

/** What one evaluation may use up. Expressions come from users: each limit is a way in which one could hang us. */
export interface Limits {
  /** Characters in one template text. */
  readonly templateLength: number;
  /** Nesting of brackets, calls and signs in one expression. */
  readonly expressionDepth: number;
  /** Templates found inside values of other templates (`$property`, `$config`, ...). */
  readonly templateDepth: number;
  /** Nesting of a JSON value that is walked, formatted or parsed. */
  readonly valueDepth: number;
  /** Nodes evaluated and values visited in one evaluation. */
  readonly steps: number;
  /** Characters produced in one evaluation, intermediate texts included. */
  readonly output: number;
  /** Decimal digits of one integer; longer ones are text when written and an error when computed. */
  readonly digits: number;
}

export const defaultLimits: Limits = {
  templateLength: 1024 * 1024,
  expressionDepth: 64,
  templateDepth: 16,
  valueDepth: 128,
  steps: 200_000,
  output: 4 * 1024 * 1024,
  digits: 1000,
};

/** Counts what an evaluation has used and stops it with an ExpressionError when that is too much. */
export class Budget {
  private stepsUsed = 0;
  private charactersUsed = 0;

  constructor(readonly limits: Limits = defaultLimits) {}

  /** One more node evaluated or value visited. */
  step(count = 1): void {
    this.stepsUsed += count;
    if (this.stepsUsed > this.limits.steps) {
      throw new ExpressionError(
        'ExpressionTooManySteps',
        `The evaluation takes more than ${this.limits.steps} steps; simplify the expressions or the values they refer to.`,
      );
    }
  }

  /** One more text produced; returns it. */
  produce(text: string): string {
    this.charactersUsed += text.length;
    if (this.charactersUsed > this.limits.output) {
      throw new ExpressionError(
        'ExpressionTooLarge',
        `The evaluation produces more than ${this.limits.output} characters; shorten the values that it joins.`,
      );
    }
    return text;
  }

  /** Refuses a value nested deeper than the limit; `depth` counts from 0. */
  depth(depth: number): void {
    if (depth > this.limits.valueDepth) {
      throw new ExpressionError(
        'ExpressionTooDeep',
        `The value is nested more than ${this.limits.valueDepth} levels deep; flatten it.`,
      );
    }
  }
}
