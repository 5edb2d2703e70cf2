import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import { type Problem, SymphonyError } from '@symphony/model';
import { ValidationError } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { validationProblems } from './validation-problems.js';

/** The body of every error answer (RFC 9457). */
export interface ProblemDetails {
  /** `urn:symphony:error:<code>`. */
  type: string;
  /** The code in words. */
  title: string;
  status: number;
  /** A sentence about this case that says what to do. */
  detail: string;
  /** Stable, UpperCamel: what programs look at. */
  code: string;
  /** `urn:uuid:<request id>`; the log has the same id. */
  instance: string;
  problems: readonly Problem[];
}

const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidInput',
  401: 'Unauthenticated',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  412: 'PreconditionFailed',
  413: 'BodyTooLarge',
  415: 'UnsupportedEncoding',
  422: 'Unprocessable',
  429: 'TooManyRequests',
  431: 'HeadersTooLarge',
  503: 'Unavailable',
};
const RETRY_AFTER_SECONDS = '2';

/** Turns whatever a handler, guard, hook or parser threw into what the caller is told: never an internal message. */
export function toProblem(error: unknown, requestId: string): ProblemDetails {
  if (error instanceof SymphonyError) {
    return problem(error.status, error.code, error.message, requestId, error.problems);
  }
  if (isValidationErrors(error)) {
    return problem(
      400,
      'InvalidInput',
      'The body breaks rules; see problems.',
      requestId,
      validationProblems(error),
    );
  }
  const status = clientStatusOf(error);
  if (status !== undefined) {
    return problem(status, CODES[status] ?? 'RequestRefused', (error as Error).message, requestId);
  }
  if (isDatabaseGone(error)) {
    return problem(503, 'DatabaseUnavailable', 'The database does not answer: try again soon.', requestId);
  }
  return problem(
    500,
    'InternalError',
    `The engine failed; its log says why, under request id ${requestId}.`,
    requestId,
  );
}

/** Builds a problem for a code of the edge itself. */
export function problem(
  status: number,
  code: string,
  detail: string,
  requestId: string,
  problems: readonly Problem[] = [],
): ProblemDetails {
  const words = code.replaceAll(/(?<!^)([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return {
    type: `urn:symphony:error:${code}`,
    title: words,
    status,
    detail,
    code,
    instance: `urn:uuid:${requestId}`,
    problems,
  };
}

/** Sends a problem; 503 says when to come back, 401 how to prove who one is. */
export function sendProblem(reply: FastifyReply, body: ProblemDetails): void {
  if (body.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  if (body.status === 401) reply.header('www-authenticate', 'Bearer');
  void reply
    .status(body.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
    // An error may come before the hooks that set these.
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none';frame-ancestors 'none'")
    .send(JSON.stringify(body));
}

/** A problem as a whole HTTP/1.1 answer, for connections on which no request could be read. */
export function rawProblemResponse(body: ProblemDetails): string {
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    text,
  ].join('\r\n');
}

/** The status of errors that Nest and Fastify raise for bad requests; theirs above 499 are treated as unforeseen. */
function clientStatusOf(error: unknown): number | undefined {
  const status = error instanceof HttpException ? error.getStatus() : fastifyStatusOf(error);
  return status !== undefined && status >= 400 && status < 500 ? status : undefined;
}

function fastifyStatusOf(error: unknown): number | undefined {
  return error instanceof Error && error.name === 'FastifyError' && 'statusCode' in error
    ? Number(error.statusCode)
    : undefined;
}

function isValidationErrors(error: unknown): error is ValidationError[] {
  return Array.isArray(error) && error.length > 0 && error.every((item) => item instanceof ValidationError);
}

/** SQLSTATE classes 08 (connection), 57P (server ending) and 53300 (too many connections). */
function isDatabaseGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^(08\d{3}|57P\d{2}|53300)$/.test(code);
}
