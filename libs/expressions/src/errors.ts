import { SymphonyError } from '@symphony/model';

/** Every way in which an expression can fail. Stable: callers and users match on them. */
export type ExpressionErrorCode =
  | 'ExpressionSyntax'
  | 'ExpressionUnknownFunction'
  | 'ExpressionArity'
  | 'ExpressionInvalidArgument'
  | 'ExpressionInvalidPath'
  | 'ExpressionMissingValue'
  | 'ExpressionNoProvider'
  | 'ExpressionLookupNotFound'
  | 'ExpressionLookupFailed'
  | 'ExpressionCircular'
  | 'ExpressionTooDeep'
  | 'ExpressionTooLarge'
  | 'ExpressionTooManySteps';

/** 503 for the one failure that the same expression may outlive; the rest needs another spec or context: 400. */
function statusOf(code: ExpressionErrorCode): number {
  return code === 'ExpressionLookupFailed' ? 503 : 400;
}

/**
 * An expression that cannot be parsed or evaluated. Status 400, except `ExpressionLookupFailed` (503: a
 * provider could not be read now, the same expression may work later).
 *
 * Messages quote the expression as written, never a value that came from a secret.
 */
export class ExpressionError extends SymphonyError {
  constructor(
    override readonly code: ExpressionErrorCode,
    message: string,
    /** Where in the evaluated JSON the failing text stands; empty when one text was evaluated by itself. */
    readonly path = '',
  ) {
    super(code, statusOf(code), path === '' ? message : `${path}: ${message}`, [{ path, message }]);
  }

  /** The same error, placed in the value that contains the failing text. */
  at(path: string): ExpressionError {
    return this.path === '' ? new ExpressionError(this.code, this.message, path) : this;
  }
}

/**
 * True when an expression failed because something it names is absent: a property, parameter, input, key or
 * path. A constraint that fails this way means "this target does not match", not "the instance is broken".
 */
export function isMissingValue(error: unknown): error is ExpressionError {
  return error instanceof ExpressionError && error.code === 'ExpressionMissingValue';
}

/** A piece of source text for a message: one line, at most 80 characters. */
export function excerpt(text: string): string {
  const line = text.slice(0, 400).replace(/\s+/g, ' ').trim();
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
