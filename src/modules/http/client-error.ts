import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problem, rawProblemResponse, type ProblemDetails } from './problem-details.js';

/** Answers bytes that are no HTTP request, as far as the connection still takes an answer, and ends the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node's own handler looks at the same field: an answer inside another one would be taken for a part of it.
  const { _httpMessage: current } = socket as Socket & { _httpMessage?: ServerResponse | null };
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) {
    socket.destroy();
    return;
  }
  socket.end(rawProblemResponse(describe(error.code)), () => socket.destroy());
}

/** Answers `Expect:` with anything but `100-continue`. The body is not read, so the connection ends. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const detail = 'The only expectation that can be met is 100-continue.';
  response.socket?.end(rawProblemResponse(problem(417, 'ExpectationFailed', detail, randomUUID())));
}

function describe(code: string | undefined): ProblemDetails {
  const id = randomUUID();
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return problem(431, 'HeadersTooLarge', 'The path and headers are larger than 16 KiB: send less.', id);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem(408, 'RequestTimeout', 'The request did not arrive in time: send it faster.', id);
    default:
      return problem(400, 'MalformedRequest', 'This is no HTTP/1.1 request.', id);
  }
}
