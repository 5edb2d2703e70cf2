import { termOf } from './lanes/index.js';
import { LEDGER_INDEXES, LEDGER_TYPE, type LedgerReflector } from './ledger/ledger-object.js';
import { highestKnown } from './leadership/index.js';
import { ObjectReflectors, type ObjectReflectorsOptions } from './objects/object-reflectors.js';
import { Reflector } from './reflector/index.js';
import { brief, HISTORY_INDEXES, RUN_HISTORY_TYPE, type RunHistoryObject } from './runs/history-object.js';

/** What this process sees of the cluster. */
export class Caches {
  readonly objects: ObjectReflectors;
  readonly ledgers: LedgerReflector;
  readonly histories: Reflector<RunHistoryObject, 'owner' | 'summary'>;

  constructor(followed: ObjectReflectorsOptions) {
    this.objects = new ObjectReflectors(followed);
    this.ledgers = new Reflector({ ...followed, type: LEDGER_TYPE, indexes: LEDGER_INDEXES });
    this.histories = new Reflector({
      ...followed,
      type: RUN_HISTORY_TYPE,
      indexes: HISTORY_INDEXES,
      keep: brief,
    });
  }

  start(): void {
    this.objects.start();
    this.ledgers.start();
    this.histories.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.objects.stop(), this.ledgers.stop(), this.histories.stop()]);
  }

  /** The highest term of which there is a trace. Statuses count as well: what only waits or fails has no ledger. */
  get knownTerm(): number {
    const { targets, instances } = this.objects;
    const statuses = [...targets.list(), ...instances.list()].map(({ status }) => status?.epoch ?? 0);
    const ledgers = this.ledgers.list().map(({ spec }) => spec.epoch);
    return highestKnown([...statuses, ...ledgers].map(termOf));
  }
}
