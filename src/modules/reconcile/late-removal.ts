import { reason, type Reason, type RemovalLimit } from '@symphony/model';

/** A removal that has not ended in time. */
export interface LateRemoval {
  timeoutMs: number;
  /** What the ledger still names, or nothing, as where only others are in the way. One line each, sorted. */
  left: readonly string[];
  /** Until it is tried again. */
  nextMs: number;
}

/** A few are enough to know where to look; REST and the ledger have them all. */
const MAX_NAMED = 10;

/** What the status of an object says whose removal is late. Clients of Symphony look for the words at its beginning. */
export function lateReason({ timeoutMs, left }: LateRemoval, why?: Reason): Reason {
  const named = left.slice(0, MAX_NAMED).join(', ');
  const more = left.length > MAX_NAMED ? ` and ${left.length - MAX_NAMED} more` : '';
  const what = [
    `Timed Out: the removal has not ended within ${textOf(timeoutMs)}.`,
    left.length > 0 ? `Left: ${named}${more}.` : '',
    why ? `${why.code}: ${why.message}` : '',
  ];
  return reason('DeleteTimedOut', what.filter((part) => part !== '').join(' '));
}

/** Milliseconds that a removal has left; negative when it is late, undefined for what is not being removed. */
export function timeLeft(limit: RemovalLimit | undefined, now = Date.now()): number | undefined {
  return limit && limit.endsAt - now;
}

function textOf(ms: number): string {
  const units: readonly [number, string][] = [
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1_000, 's'],
  ];
  const [size, unit] = units.find(([each]) => ms >= each && ms % each === 0) ?? [1, 'ms'];
  return `${ms / size}${unit}`;
}
