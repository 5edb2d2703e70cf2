import {
  SymphonyError,
  type ComponentSpec,
  type DeploymentOwner,
  type LedgerEntry,
  type LedgerKey,
  type PendingOutcome,
} from '@symphony/model';
import type { Fence } from '../queue/index.js';

/** What is known after a provider call. What a call left unknown is not told: its entry stays as it was begun. */
export type LedgerOutcome =
  | { kind: 'applied'; key: LedgerKey; applied: ComponentSpec; digest: string; generation: string }
  | { kind: 'removed'; key: LedgerKey }
  /**
   * Accepted, or ended without success: the entry stays an intent, and keeps a report on it that came before.
   * `used`: time of the report of failure that ended it.
   */
  | { kind: 'pending'; key: LedgerKey; pending: PendingOutcome; used?: string };

/** A target was deleted, and is gone, since the run read it: nothing may be put there any more. */
export class TargetGoneError extends SymphonyError {
  constructor() {
    super(
      'TargetNotFound',
      409,
      'The target was deleted while this run was under way; nothing was put there.',
    );
  }
}

/** The durable record of what we applied. Every write is fenced. */
export abstract class Ledger {
  abstract entriesOf(ownerUid: string): Promise<LedgerEntry[]>;
  /** Who has entries on a target. */
  abstract ownersOn(targetUid: string, limit: number): Promise<{ total: number; owners: DeploymentOwner[] }>;
  /**
   * Records intents (state `intent` or `removing`) before a provider call. A target whose record could go meanwhile would
   * leave what is put there without a place: whoever removes the record sees the intent, or the intent is refused.
   * @throws FencedError, TargetGoneError
   */
  abstract begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void>;
  /**
   * Records outcomes after a provider call, and with the same write orders a run of those targets that are being deleted
   * and from which something was removed: they wait for that.
   * @throws FencedError
   */
  abstract settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void>;
}
