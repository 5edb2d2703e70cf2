/** One thing that is wrong with an input: where, and what would be right. */
export interface Problem {
  /** Path of the field in the body, for example `spec.components[1].name`; empty for the body itself. */
  path: string;
  /** A sentence that says what is wrong and what would be right. */
  message: string;
}

/**
 * The base of every error that a user may meet: a stable `code` (UpperCamel, documented in docs/errors.md),
 * the HTTP `status` that it answers with, and a message that says what to do.
 */
export class SymphonyError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly problems: readonly Problem[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = code;
  }
}

/** The input cannot be right, whatever the state of the system: 400. */
export class InvalidInputError extends SymphonyError {
  constructor(message: string, problems: readonly Problem[] = [], code = 'InvalidInput') {
    super(code, 400, message, problems);
  }
}

/** No such object: 404. */
export class NotFoundError extends SymphonyError {
  constructor(message: string, code = 'NotFound') {
    super(code, 404, message);
  }
}

/** The input is at odds with what is stored: 409. */
export class ConflictError extends SymphonyError {
  constructor(message: string, code = 'Conflict', problems: readonly Problem[] = []) {
    super(code, 409, message, problems);
  }
}

/** A stated precondition (`If-Match`) does not hold: 412. */
export class PreconditionFailedError extends SymphonyError {
  constructor(message: string, code = 'PreconditionFailed') {
    super(code, 412, message);
  }
}

/** Well-formed, but this engine cannot do it: 422. */
export class UnprocessableError extends SymphonyError {
  constructor(message: string, code = 'Unprocessable', problems: readonly Problem[] = []) {
    super(code, 422, message, problems);
  }
}

/** Not for this caller: 401 without, 403 with a valid identity. */
export class AccessError extends SymphonyError {
  constructor(status: 401 | 403, message: string, code = status === 401 ? 'Unauthenticated' : 'Forbidden') {
    super(code, status, message);
  }
}

/** The engine cannot serve this now; the same request may succeed later: 503. */
export class UnavailableError extends SymphonyError {
  constructor(message: string, code = 'Unavailable', options?: ErrorOptions) {
    super(code, 503, message, [], options);
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
