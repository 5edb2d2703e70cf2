import type { DeployableKind, DeploymentOwner, LedgerEntry } from '@symphony/model';
import { backoffMs, pause } from '../client/index.js';
import { termOf } from '../lanes/index.js';
import type { Change } from '../reflector/index.js';
import { isRestored } from './reattach.js';
import { entriesIn, rowKeyOf, type LedgerObject } from './ledger-object.js';

/** Somebody else may write such a ledger at the same moment, above all the garbage collector. */
const TRIES = 6;
const DELAYS = { firstMs: 200, mostMs: 5_000 };

interface StoredOwner extends DeploymentOwner {
  kind: DeployableKind;
}

export interface LeftoverParts {
  ledgers: {
    list(): LedgerObject[];
    onChange(listener: (change: Change<LedgerObject>) => void): () => void;
  };
  /** The term that this process leads; undefined when it does not, or its lanes are not made yet. */
  term: () => number | undefined;
  /** Whether the owner is stored; asked of the server, since what is not seen may be there. */
  isStored: (owner: StoredOwner) => Promise<boolean>;
  /** Orders a run that looks at what is there. */
  look: (owner: StoredOwner) => void;
  /** Lets the ledgers of an owner that is gone go. */
  release: (owner: StoredOwner) => Promise<unknown>;
  warn: (message: string, error: unknown) => void;
}

/**
 * What former leaders leave in ledgers: intents whose outcome nobody wrote, and ledgers that were created too late, by a process
 * that stood still while the next leader came. Nothing is forgotten, and nothing is deployed because of it: the owner's next run
 * observes and plans by what its owner wants now; where there is no owner any more, the ledger goes.
 */
export class LeftoverLedgers {
  #over = new AbortController();

  constructor(private readonly parts: LeftoverParts) {}

  /** Follows what comes late. Returns what ends it. */
  start(): () => void {
    this.#over = new AbortController();
    const unsubscribe = this.parts.ledgers.onChange(({ before, after }) => {
      const term = this.parts.term();
      if (term === undefined || !after || termOf(after.spec.epoch) >= term) return;
      // What came from a backup waits for its owner, or is taken over by it.
      if (isRestored(after)) return;
      if (unsettled(after).length > 0 && isNews(before, after)) void this.#settle(after, term);
    });
    return () => {
      unsubscribe();
      this.#over.abort();
    };
  }

  /** At the beginning of a term, when its lanes are made: runs that ended without saying how. */
  begin(): void {
    for (const ledger of this.parts.ledgers.list()) {
      const owner = storedOwnerOf(ledger);
      if (owner && unsettled(ledger).length > 0) this.parts.look(owner);
    }
  }

  async #settle(ledger: LedgerObject, term: number): Promise<void> {
    const owner = storedOwnerOf(ledger);
    if (!owner) return;
    const { signal } = this.#over;
    for (let failures = 0; !signal.aborted && this.parts.term() === term;) {
      try {
        if (await this.parts.isStored(owner)) this.parts.look(owner);
        else await this.parts.release(owner);
        return;
      } catch (error) {
        failures += 1;
        // The next term looks at all of them.
        if (failures === TRIES) {
          this.parts.warn('What a former leader left in a ledger could not be settled yet', error);
          return;
        }
        await pause(backoffMs(failures, DELAYS), signal);
      }
    }
  }
}

/** What was begun, and is neither confirmed nor waiting for a report. */
function unsettled(ledger: LedgerObject): LedgerEntry[] {
  return entriesIn(ledger).filter(({ state, pending }) => state !== 'applied' && !pending);
}

/** Rows that were not there, or not in that state: not some label that somebody has put on it. */
function isNews(before: LedgerObject | undefined, after: LedgerObject): boolean {
  const known = new Set(before ? unsettled(before).map(rowKeyOf) : []);
  return unsettled(after).some((entry) => !known.has(rowKeyOf(entry)));
}

function storedOwnerOf({ spec: { owner } }: LedgerObject): StoredOwner | undefined {
  return owner.kind === 'Inline' ? undefined : { ...owner, kind: owner.kind };
}
