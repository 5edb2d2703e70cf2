import {
  SymphonyError,
  type ComponentSpec,
  type DeploymentOwner,
  type LedgerEntry,
  type LedgerKey,
  type PendingOutcome,
} from '@symphony/model';
import type { Fence } from '../queue/index.js';
import type { KnownPlace } from '../solution/index.js';

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

/** Places where something is, in a stable order; `next` leads to the page after. */
export interface PlacesPage {
  items: KnownPlace[];
  next?: string;
}

/** The durable record of what we applied. Every write is fenced. */
export abstract class Ledger {
  abstract entriesOf(ownerUid: string): Promise<LedgerEntry[]>;
  /** Who has entries on a target. */
  abstract ownersOn(targetUid: string, limit: number): Promise<{ total: number; owners: DeploymentOwner[] }>;
  /** Which of the targets have entries. */
  async occupiedAmong(targetUids: readonly string[]): Promise<ReadonlySet<string>> {
    const occupied = new Set<string>();
    for (const uid of targetUids) if ((await this.ownersOn(uid, 1)).total > 0) occupied.add(uid);
    return occupied;
  }

  /** Where these providers have put something on targets that are there: each place once, with one of its owners. */
  placesWith(_providers: readonly string[], _limit: number, _after?: string): Promise<PlacesPage> {
    return Promise.resolve({ items: [] });
  }

  /**
   * Tells whether this process is the one that acts on what the ledger says: at once, and whenever that changes. Default: it is,
   * for good, as every process is where they share the work.
   * @returns what ends it
   */
  onCharge(listener: (inCharge: boolean) => void): () => void {
    listener(true);
    return () => undefined;
  }

  /**
   * Records intents (state `intent` or `removing`) before a provider call. A target whose record could go meanwhile would
   * leave what is put there without a place: whoever removes the record sees the intent, or the intent is refused. A removal of
   * what has no entry any more, since it was given up meanwhile, is not recorded.
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
