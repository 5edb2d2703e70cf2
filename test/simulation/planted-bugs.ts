import type { LedgerEntry } from '@symphony/model';
import type { Fence } from '../../src/modules/queue/index.js';
import type { LedgerOutcome } from '../../src/modules/reconcile/index.js';
import type { Snapshot, SnapshotKey } from '../../src/modules/solution/index.js';
import { SimulatedLedger, SimulatedReader, type PortContext } from './ports.js';

/**
 * Bugs that the simulation has to find, each made in an adapter and never in the product:
 *
 * - `lost-fence`: the ledger takes writes of runs that have lost their lane;
 * - `ledger-after-call`: what is about to be applied is written down only when it has been;
 * - `delete-on-failed-read`: targets that could not be read look as if they were not there.
 */
export const PLANTED_BUGS = ['lost-fence', 'ledger-after-call', 'delete-on-failed-read'] as const;
export type PlantedBug = (typeof PLANTED_BUGS)[number];

/** The rule that each of them breaks first. */
export const BROKEN_RULE: Record<PlantedBug, string> = {
  'lost-fence': 'late-write',
  'ledger-after-call': 'orphan',
  'delete-on-failed-read': 'unjustified-delete',
};

export function ledgerWith(bug: PlantedBug | undefined, context: PortContext): SimulatedLedger {
  if (bug === 'lost-fence') return new UnfencedLedger(context);
  if (bug === 'ledger-after-call') return new LateLedger(context);
  return new SimulatedLedger(context);
}

export function readerWith(bug: PlantedBug | undefined, context: PortContext): SimulatedReader {
  return bug === 'delete-on-failed-read' ? new TrustingReader(context) : new SimulatedReader(context);
}

class UnfencedLedger extends SimulatedLedger {
  override assertFence(): void {
    // That is the bug.
  }
}

class LateLedger extends SimulatedLedger {
  readonly #begun = new Map<string, LedgerEntry[]>();

  override begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    this.#begun.set(fence.laneId, [...(this.#begun.get(fence.laneId) ?? []), ...entries]);
    return Promise.resolve();
  }

  override async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    const begun = this.#begun.get(fence.laneId) ?? [];
    this.#begun.delete(fence.laneId);
    await super.begin(fence, begun);
    await super.settle(fence, ownerUid, outcomes);
  }
}

class TrustingReader extends SimulatedReader {
  override async read(key: SnapshotKey): Promise<Snapshot> {
    try {
      return await super.read(key);
    } catch {
      const snapshot = this.context.tables.snapshot(key);
      return { ...snapshot, targets: snapshot.targets.slice(0, 1) };
    }
  }
}
