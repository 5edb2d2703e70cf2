import type { LedgerEntry } from '@symphony/model';
import type { LedgerOutcome } from './ledger.js';

/**
 * What an entry becomes when its intent is recorded. What was applied and its digest stay until the outcome is known: an
 * update that dies on the way may have happened or not, and the next run must not take the new declaration for the applied
 * one.
 */
export function begunEntry(known: LedgerEntry | undefined, intent: LedgerEntry, now: string): LedgerEntry {
  if (!known) return { ...intent, updatedAt: now };
  const { pending: _pending, report: _report, ...kept } = known;
  return { ...kept, state: intent.state, generation: intent.generation, updatedAt: now };
}

/** What an entry becomes by the outcome of a provider call; undefined when it goes. */
export function settledEntry(
  known: LedgerEntry,
  outcome: LedgerOutcome,
  now: string,
): LedgerEntry | undefined {
  if (outcome.kind === 'removed') return undefined;
  if (outcome.kind === 'applied') {
    const { pending: _pending, report: _report, reportedFailures: _failures, ...kept } = known;
    const { applied, digest, generation } = outcome;
    return { ...kept, state: 'applied', applied, digest, generation, updatedAt: now };
  }
  const { report, reportedFailures = 0, ...kept } = known;
  const { pending, used } = outcome;
  const failures = reportedFailures + (used === undefined ? 0 : 1);
  // A report that came before this was written counts if it is about the same; one that was used up does not any more.
  const counts =
    report !== undefined &&
    report.at !== used &&
    (pending.ticket === undefined || pending.ticket === report.ticket);
  return {
    ...kept,
    pending,
    updatedAt: now,
    ...(counts ? { report } : {}),
    ...(failures > 0 ? { reportedFailures: failures } : {}),
  };
}
