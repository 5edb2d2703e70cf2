import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatcher } from 'undici';
import { SymphonyError, UnavailableError } from '@symphony/model';
import { orAborted } from '../client/index.js';
import type { Leader } from '../leadership/index.js';
import { headersForCaller, headersForLeader } from './headers.js';

/** How often it is looked whether the leader that was asked still leads. */
const LOOK_EVERY_MS = 3_000;

export interface ForwardOptions {
  dispatcher: Dispatcher;
  /** Where the leader serves. */
  address: URL;
  leader: Leader;
  /** Who leads at this moment. */
  current: () => Leader | undefined;
  /** Of this replica. */
  identity: string;
  /** For the answer to begin. */
  withinMs: number;
  lookEveryMs?: number | undefined;
}

/**
 * Passes a request on, body and answer as streams, and answers with what the leader says; resolves when the answer has begun. Nothing
 * is tried twice: an order may have been taken although its answer got lost. It ends with its caller, with the deadline, and
 * when another replica leads: a machine that died says nothing at all.
 * @throws UnavailableError `LeaderUnreachable`, `LeaderChanged`, `LeaderTooSlow`: nothing has been answered yet
 */
export async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ForwardOptions,
): Promise<void> {
  const { dispatcher, address, identity, withinMs, lookEveryMs = LOOK_EVERY_MS } = options;
  const stop = new AbortController();
  const deadline = setTimeout(() => stop.abort(tooSlow(withinMs)), withinMs);
  const looking = setInterval(() => {
    if (hasChanged(options)) stop.abort(changed());
  }, lookEveryMs);
  reply.raw.once('close', () => {
    clearInterval(looking);
    stop.abort(new Error('the answer has ended, or nobody waits for it any more'));
  });
  try {
    const sent = dispatcher.request({
      origin: address.origin,
      // Not resolved as a reference: `//elsewhere/jobs` is a path that our router takes, and would be another place.
      path: pathOf(request),
      method: request.method,
      headers: headersForLeader(request.raw.headers, identity),
      body: hasBody(request) ? request.raw : null,
      signal: stop.signal,
    });
    // An answer that comes after the signal has nobody who would hear that it broke off.
    sent.then(({ body }) => body.on('error', () => undefined)).catch(() => undefined);
    // undici does not heed a signal while it connects.
    const answer = await orAborted(sent, stop.signal);
    void reply.status(answer.statusCode).headers(headersForCaller(answer.headers)).send(answer.body);
  } catch (cause) {
    clearInterval(looking);
    throw cause instanceof SymphonyError ? cause : unreachable(cause);
  } finally {
    clearTimeout(deadline);
  }
}

function pathOf({ raw: { url = '/' } }: FastifyRequest): string {
  return url.startsWith('/') ? url : `/${url}`;
}

function hasBody({ raw: { headers } }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** A moment without a leader is none: the Lease of one that restarts may end and be its own again. */
function hasChanged({ leader, current }: ForwardOptions): boolean {
  const now = current();
  return now !== undefined && now.epoch !== leader.epoch;
}

function unreachable(cause: unknown): UnavailableError {
  return new UnavailableError(
    'The replica that leads does not answer; if it is gone, another one leads in seconds: try again then. What you ordered may have been taken.',
    'LeaderUnreachable',
    { cause },
  );
}

function changed(): UnavailableError {
  return new UnavailableError(
    'Another replica leads now: try again. What you ordered may have been taken.',
    'LeaderChanged',
  );
}

function tooSlow(ms: number): UnavailableError {
  return new UnavailableError(
    `The replica that leads did not answer within ${ms / 1000} seconds: try again. What you ordered may have been taken.`,
    'LeaderTooSlow',
  );
}
