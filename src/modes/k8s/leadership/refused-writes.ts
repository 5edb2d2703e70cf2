import { messageOf } from '@symphony/model';
import type { Leadership } from './leadership.js';
import { MOST_TERM } from './term.js';

/** A record whose write was refused because of its epoch, or because somebody else had written it. */
export interface RefusedRecord {
  /** For the log, for example `Ledger/shop/web.edge.0123`. */
  what: string;
  /** The term whose write was refused. */
  term: number;
  /** Reads the term that stands in the record now; undefined when it carries none, or is gone. */
  stored(): Promise<number | undefined>;
  /**
   * Takes a term away that was never led, by compare-and-swap on what `stored` has read. Left out where it cannot be taken away:
   * then a new term with a higher number begins.
   */
  correct?(): Promise<void>;
}

export interface RefusedWritesOptions {
  leadership: Leadership;
  log: { warn(fields: object): void };
}

/**
 * What follows when the server refuses a write as one of a former leader. The run has ended by then, and nothing here writes its
 * outcome after all.
 *
 * - The Lease is read. When another holds it, this process steps down at once, whatever its watch has told.
 * - When it is ours, nobody leads after us, so that the higher term in the record was never led: it was edited by hand, or is
 *   older than a Lease that was deleted. In a status, which more people may write than lead, it is taken away; no editor of a
 *   status can end a term, or lock the engine out. In a ledger it is not touched, and a term above it begins; unless it is made up
 *   beyond all measure: that ledger is stuck until an administrator corrects it, and all others are not.
 *
 * What `stored` reads was written before the Lease was found to be ours, and `correct` fails when anything was written since: so
 * that a process that stands still in between can take nothing from a new leader.
 */
export class RefusedWrites {
  constructor(private readonly options: RefusedWritesOptions) {}

  /** Never rejects. */
  async look(record: RefusedRecord): Promise<void> {
    const { leadership, log } = this.options;
    const { what, term } = record;
    try {
      const found = await readOf(record);
      if (!(await leadership.confirm())) return;
      if (leadership.epoch !== term || found === undefined || found <= term) return;
      log.warn({ msg: 'A record carries a term that nobody led: it was changed by hand', what, found, term });
      if (record.correct) await record.correct();
      else if (found <= MOST_TERM) leadership.outranked(found);
    } catch (error) {
      log.warn({ msg: 'Why a write was refused cannot be seen', what, error: messageOf(error) });
    }
  }
}

/** Also without an answer the Lease is asked. */
async function readOf(record: RefusedRecord): Promise<number | undefined> {
  try {
    return await record.stored();
  } catch {
    return undefined;
  }
}
