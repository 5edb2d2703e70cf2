import { messageOf, SymphonyError, UnavailableError } from '@symphony/model';
import type { ApiClient, ResourceType } from '../client/index.js';

/** Asks the cluster. A caller waits for it, so it must be short; the caller can come again. */
const DEADLINE_MS = 8_000;
const ATTEMPT_MS = 4_000;
/** Beyond it the cluster is slower than the callers: more of them would only wait longer. */
const MOST_AT_ONCE = 200;

export type ReviewClient = Pick<ApiClient, 'create'>;

export interface AccessLog {
  warn(fields: object): void;
}

/**
 * Puts questions to the API server. There is an answer or an UnavailableError (503), whatever went wrong: what could not be asked is
 * never taken for a yes, and never told to the caller as a no.
 */
export class Reviewer {
  #asking = 0;
  #told = false;

  constructor(
    private readonly client: ReviewClient,
    private readonly log: AccessLog,
  ) {}

  async ask<T extends object>(type: ResourceType, review: T): Promise<T> {
    if (this.#asking >= MOST_AT_ONCE) {
      throw new UnavailableError(
        'Too many requests at the same time; try again in a few seconds.',
        'TooBusy',
      );
    }
    this.#asking += 1;
    try {
      const answer: unknown = await this.client.create(
        type,
        { ...review, metadata: { name: '' } },
        {
          // It stores nothing.
          repeatable: true,
          deadlineMs: DEADLINE_MS,
          attemptMs: ATTEMPT_MS,
        },
      );
      this.#told = false;
      return answer as T;
    } catch (error) {
      throw this.#notAnswered(type, error);
    } finally {
      this.#asking -= 1;
    }
  }

  #notAnswered({ plural }: ResourceType, cause: unknown): UnavailableError {
    if (!this.#told) {
      this.#told = true;
      const advice =
        'Callers get 503 meanwhile; the engine needs the right to create tokenreviews and subjectaccessreviews.';
      this.log.warn({
        msg: 'The cluster cannot be asked about callers',
        resource: plural,
        error: messageOf(cause),
        advice,
      });
    }
    // The cause may name addresses; this is told to people whom nobody knows yet.
    const code = cause instanceof SymphonyError ? ` (${cause.code})` : '';
    return new UnavailableError(
      `The cluster could not be asked who you are and what you may do${code}: try again soon; the engine's log says why.`,
      'AccessUnknown',
      { cause },
    );
  }
}
