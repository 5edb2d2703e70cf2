import { REASONS, type ReasonCode } from '@symphony/model';
import { CAUSES, type Cause, type Claim, type LaneState, type RunOutcome, type RunResult } from './lanes.js';

/** What holds for lanes wherever they are kept. Pure: chance and time come from the caller. */

/** Retries: a random time up to `firstMs * 2^attempts`, between `minMs` and `maxMs`. */
export interface BackoffOptions {
  minMs: number;
  firstMs: number;
  maxMs: number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { minMs: 1_000, firstMs: 2_000, maxMs: 300_000 };

/** Longest sentence that a lane keeps of its last run. */
export const MAX_LANE_MESSAGE = 1_000;

/**
 * Milliseconds until the next attempt.
 * @param attempts that failed before the one that has just failed
 * @param chance 0 to 1
 */
export function backoffMs(
  attempts: number,
  chance: number,
  { minMs, firstMs, maxMs }: BackoffOptions,
): number {
  return Math.max(minMs, chance * Math.min(maxMs, firstMs * 2 ** Math.min(attempts, 30)));
}

/**
 * Milliseconds until the next periodic run: anywhere within the interval after the first run, so that what was made at the
 * same moment is not looked at in the same moment; a tenth more or less than the interval after later ones.
 * @param chance 0 to 1
 */
export function periodicMs(intervalMs: number, first: boolean, chance: number): number {
  return intervalMs * (first ? chance : 0.9 + 0.2 * chance);
}

/**
 * Where each claim begins, so that nothing starves: mostly with people, every fourth time with another cause, which
 * leaves dependents an eighth, retries and periodic runs a sixteenth of the claims however many people's orders wait.
 */
const STARTS = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3] as const;

/** The cause (an index of `CAUSES`) with which a claim begins. @param turn counts the claims */
export function startOfClaim(turn: number): number {
  return STARTS[turn % STARTS.length] ?? 0;
}

/** Begins with `start`, then the others by urgency; indexes of `CAUSES`. */
export function causesFrom(start: number): number[] {
  return [start, ...CAUSES.map((_, index) => index).filter((index) => index !== start)];
}

/**
 * Whether a run counts as that of the orders that it covers. One that made way does not, and neither does one of a posted
 * deployment that broke off without a summary: whoever waits for it would be given that of a run before.
 */
export function hasRun({ payload }: Pick<Claim, 'payload'>, { result, summary }: RunOutcome): boolean {
  if (result === 'yielded') return false;
  return payload === undefined || result !== 'retry' || summary !== undefined;
}

/** Why a lane is as it is: what the last run said, unless it is held back whatever that was. */
export function reasonOf(
  state: LaneState,
  last: { reason?: ReasonCode; message?: string },
): { reason?: ReasonCode; message?: string } {
  return state === 'suspended' ? { reason: 'Suspended', message: REASONS.Suspended } : last;
}

/** @param lane `due`: an order waits, now or for later; `result`: of the last run; of one under way it is `running` also when suspended */
export function laneStateOf(lane: {
  running: boolean;
  suspended: boolean;
  due: boolean;
  cause: Cause;
  result?: RunResult;
}): LaneState {
  if (lane.running) return 'running';
  if (lane.suspended) return 'suspended';
  if (lane.due && lane.cause !== 'periodic') return 'waiting';
  return lane.result === 'waiting' ? 'stalled' : 'idle';
}
