import { ApiUnavailableError } from './api-errors.js';
import { backoffMs, type BackoffOptions } from './backoff.js';
import { pause } from './deadline.js';

export interface RetryRules {
  /** The most attempts, the first one included. */
  attempts: number;
  /** Whether doing it twice equals doing it once, so that an unknown outcome may be tried again. */
  repeatable: boolean;
  /** On the clock of `performance.now()`: no attempt begins after it. */
  until: number;
  signal?: AbortSignal | undefined;
}

const DELAYS: BackoffOptions = { firstMs: 200, mostMs: 5_000 };

/**
 * Tries again what failed because the server could not serve it: what surely was not done, and what may be done twice. Waits
 * as long as the server asked for, never less than the backoff, and gives up at once when that would be too late.
 * @throws the error of the last attempt
 */
export async function withRetries<T>(rules: RetryRules, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (failures >= rules.attempts || !mayRepeat(error, rules)) throw error;
      const waitMs = Math.max(backoffMs(failures, DELAYS), jittered(error.retryAfterMs ?? 0));
      if (performance.now() + waitMs >= rules.until) throw error;
      await pause(waitMs, rules.signal);
      if (rules.signal?.aborted) throw error;
    }
  }
}

function mayRepeat(error: unknown, { repeatable }: RetryRules): error is ApiUnavailableError {
  if (!(error instanceof ApiUnavailableError)) return false;
  if (error.code === 'KubernetesUnauthorized' || error.code === 'KindNotServed') return false;
  return repeatable || error.effect === 'none';
}

/** A tenth later, so that all who were told the same second do not come in the same millisecond. */
function jittered(ms: number): number {
  return ms * (1 + Math.random() / 10);
}
