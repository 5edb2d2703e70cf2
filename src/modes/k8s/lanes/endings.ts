import { beginningOf, reason } from '@symphony/model';
import {
  backoffMs,
  CAUSES,
  hasRun,
  MAX_LANE_MESSAGE,
  periodicMs,
  type BackoffOptions,
  type Claim,
  type RunOutcome,
} from '../../../modules/queue/index.js';
import type { KnownObject, Lane } from './lane.js';

/** Time and chance, for what is decided by them. */
export interface Moment {
  now: number;
  /** 0 to 1. */
  random: () => number;
  backoff: BackoffOptions;
}

const DEPENDENT = CAUSES.indexOf('dependent');
const PERSON = CAUSES.indexOf('person');
const RETRY = CAUSES.indexOf('retry');
const PERIODIC = CAUSES.indexOf('periodic');

/**
 * What becomes of a lane after a run. The rules are those of the SQL in standalone mode (completion.ts), but that there nobody else
 * can keep an object.
 * @param letGo see `OutcomeWriter`
 * @returns whether a newer order waits
 */
export function finish(
  lane: Lane,
  claim: Claim,
  outcome: RunOutcome,
  { now, random, backoff }: Moment,
  letGo: boolean,
): boolean {
  const { result, reason } = outcome;
  const again = lane.orderSeq > lane.claimedSeq;
  const first = lane.doneSeq === 0;
  const failed = lane.attempts;
  lane.result = result;
  lane.reason = reason.code;
  lane.message = beginningOf(reason.message, MAX_LANE_MESSAGE);
  lane.lastHash = result === 'succeeded' ? outcome.deploymentHash : undefined;
  if (hasRun(claim, outcome)) lane.doneSeq = lane.claimedSeq;
  if (again) {
    lane.attempts = 0;
  } else if (result === 'yielded') {
    lane.dueAt = now;
  } else if (result === 'succeeded' || result === 'waiting') {
    lane.dueAt =
      outcome.nextRunMs === undefined ? undefined : now + periodicMs(outcome.nextRunMs, first, random());
    // Such a run mostly looked at no target, and must not put off the one that does. Many are ordered at once, as by a new
    // leader: what was spread over the interval stays so.
    if (lane.cause === DEPENDENT && leavesNothing(outcome) && lane.dueAt !== undefined)
      lane.dueAt = Math.min(lane.dueAt, Math.max(now, lane.lookAt ?? Infinity));
    lane.attempts = 0;
    lane.cause = PERIODIC;
    lane.actor = undefined;
    lane.lookAt = undefined;
  } else if (letGo) {
    // Others keep the object, or its end was not seen yet: only a change orders another run.
    lane.dueAt = lane.lookAt = undefined;
    lane.attempts = 0;
    lane.actor = undefined;
  } else {
    // Also an object that was to go and is there all the same: it is looked at again.
    lane.lookAt = undefined;
    lane.attempts = failed + 1;
    lane.cause = RETRY;
    lane.actor = undefined;
    lane.dueAt = now + Math.max(outcome.retryAfterMs ?? 0, backoffMs(failed, random(), backoff));
  }
  return again;
}

/** A run was refused by somebody else's write: nobody knows how far it came. */
export function interrupt(lane: Lane, { now, random, backoff }: Moment): void {
  const { code, message } = reason('Interrupted');
  lane.lastHash = undefined;
  lane.result = 'retry';
  lane.reason = code;
  lane.message = message;
  if (lane.dueAt !== undefined) return;
  lane.cause = RETRY;
  lane.dueAt = now + backoffMs(lane.attempts++, random(), backoff);
}

/** A run that changes nothing beside its lane, as a periodic one that found nothing to do. */
export function leavesNothing({ result, status, summary, record }: RunOutcome): boolean {
  return result !== 'removed' && !status && !summary && !record;
}

/**
 * What a lane is at the beginning of a term: what has not changed comes when it would have come, as far as that is known, so
 * that a restart or a change of leaders calls no provider; what has changed is due at once.
 */
export function recall(lane: Lane, object: KnownObject, { now, random, backoff }: Moment): void {
  const { last, intervalMs } = object;
  lane.lastHash = object.lastHash;
  if (!last) {
    lane.cause = PERSON;
    lane.dueAt = now;
    return;
  }
  lane.claimedSeq = lane.doneSeq = lane.orderSeq;
  lane.result = last.result;
  lane.reason = last.reason.code;
  lane.message = beginningOf(last.reason.message, MAX_LANE_MESSAGE);
  if (last.result === 'retry') {
    const { attempts } = last;
    lane.attempts = attempts ?? 1;
    lane.cause = RETRY;
    // How far it had backed off may not be known: then as if it had for long, or a restart would hurry all that fails.
    lane.dueAt =
      now +
      (attempts === undefined
        ? random() * backoff.maxMs
        : backoffMs(Math.max(0, attempts - 1), random(), backoff));
  } else {
    lane.cause = PERIODIC;
    lane.dueAt = intervalMs === undefined ? undefined : now + periodicMs(intervalMs, true, random());
  }
}
