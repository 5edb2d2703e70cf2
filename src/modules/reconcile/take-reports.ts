import {
  ledgerKeyText,
  reason,
  type LedgerEntry,
  type LedgerKey,
  type PendingOutcome,
  type Reason,
} from '@symphony/model';
import type { Fence } from '../queue/index.js';
import type { Ledger, LedgerOutcome } from './ledger.js';

export interface TakenReports {
  /** As it is now. */
  ledger: LedgerEntry[];
  /** What ended without success, by `ledgerKeyText`. */
  verdicts: Map<string, Reason>;
  /** Until what was reported to have failed is asked for anew; undefined when nothing was. */
  retryMs: number | undefined;
}

const FIRST_RETRY_MS = 2_000;
const MAX_RETRY_MS = 300_000;

/**
 * Writes what became of components that were pending: reported as done, reported as failed, or not reported in time. What
 * goes on being awaited stays as it is.
 * @throws FencedError
 */
export async function takeReports(
  ledger: Ledger,
  fence: Fence,
  entries: readonly LedgerEntry[],
  now = Date.now(),
): Promise<TakenReports> {
  const outcomes = new Map<LedgerEntry, LedgerOutcome>();
  const taken: TakenReports = { ledger: [], verdicts: new Map(), retryMs: undefined };
  for (const entry of entries) {
    const outcome = outcomeOf(entry, now);
    if (outcome) outcomes.set(entry, outcome.write);
    if (outcome?.verdict) taken.verdicts.set(ledgerKeyText(entry), outcome.verdict);
    if (outcome?.verdict?.code === 'ProviderFailed') {
      const backoff = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(entry.reportedFailures ?? 0, 20));
      taken.retryMs = Math.min(taken.retryMs ?? Infinity, backoff);
    }
    taken.ledger.push(...after(entry, outcome?.write));
  }
  const [owner] = entries.map((entry) => entry.owner.uid);
  if (owner !== undefined && outcomes.size > 0) await ledger.settle(fence, owner, [...outcomes.values()]);
  return taken;
}

interface Taken {
  write: LedgerOutcome;
  verdict?: Reason;
}

function outcomeOf(entry: LedgerEntry, now: number): Taken | undefined {
  const { pending, report } = entry;
  if (!pending) return undefined;
  // Also when it counted as failed already: what is there is there.
  if (report?.state === 'succeeded') return { write: done(entry, pending) };
  if (pending.ended) return undefined;
  if (report) return ended(entry, pending, reason('ProviderFailed', sentence(report.message)), report.at);
  if (Date.parse(pending.deadline) > now) return undefined;
  return ended(entry, pending, reason('ReportTimeout', `Accepted ${pending.since}.`));
}

function done(entry: LedgerEntry, { phase, applied, digest }: PendingOutcome): LedgerOutcome {
  const key = keyOf(entry);
  if (phase === 'remove') return { kind: 'removed', key };
  return {
    kind: 'applied',
    key,
    applied: applied ?? entry.applied,
    digest: digest ?? '',
    generation: entry.generation,
  };
}

function ended(entry: LedgerEntry, pending: PendingOutcome, verdict: Reason, used?: string): Taken {
  const write: LedgerOutcome = { kind: 'pending', key: keyOf(entry), pending: { ...pending, ended: true } };
  return { write: used === undefined ? write : { ...write, used }, verdict };
}

function keyOf({ targetUid, component, role, provider, bindingHash }: LedgerEntry): LedgerKey {
  return { targetUid, component, role, provider, bindingHash };
}

/** The entry as the write leaves it. */
function after(entry: LedgerEntry, write: LedgerOutcome | undefined): LedgerEntry[] {
  if (!write) return [entry];
  if (write.kind === 'removed') return [];
  if (write.kind === 'pending') return [{ ...entry, pending: write.pending }];
  const { applied, digest } = write;
  return [{ ...entry, state: 'applied', applied, digest, pending: undefined, report: undefined }];
}

function sentence(text: string): string {
  if (text === '') return 'It was reported to have failed.';
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
