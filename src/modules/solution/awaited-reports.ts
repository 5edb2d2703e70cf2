import { ledgerKeyText, reason, type LedgerEntry, type Reason } from '@symphony/model';
import type { Awaited } from '@symphony/planning';

/**
 * What a plan leaves alone because a report on it is awaited, by `ledgerKeyText`. What ended without success is not among it:
 * it is asked for anew.
 * @param verdicts what this run has just learnt of entries, which it shows instead of asking for them anew
 */
export function awaitedReports(
  ledger: readonly LedgerEntry[],
  verdicts: ReadonlyMap<string, Reason> = new Map(),
): Map<string, Awaited> {
  const awaited = new Map<string, Awaited>();
  for (const entry of ledger) {
    const { pending } = entry;
    const key = ledgerKeyText(entry);
    const verdict = verdicts.get(key);
    if (!pending || (pending.ended && !verdict)) continue;
    const { phase, digest } = pending;
    awaited.set(key, { phase, digest, reason: verdict ?? pendingReason(pending) });
  }
  return awaited;
}

/** Since when, until when, and what the provider said. */
export function pendingReason(pending: { since: string; deadline: string; message: string }): Reason {
  const { since, deadline, message } = pending;
  const said = message === '' ? '' : `${message} `;
  return reason('Pending', `${said}Accepted ${since}; a report is awaited until ${deadline}.`);
}
