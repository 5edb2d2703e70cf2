import { setMaxListeners } from 'node:events';
import {
  ConflictError,
  messageOf,
  UnavailableError,
  type LedgerEntry,
  type OutcomeReport,
} from '@symphony/model';
import { FencedError, type LaneOrder } from '../../../modules/queue/index.js';
import type { ComponentReport } from '../../../modules/state/index.js';
import { backoffMs, listAll, pause, type ApiClient } from '../client/index.js';
import { entriesIn, LEDGER_TYPE } from '../ledger/ledger-object.js';
import type { CustomObject } from '../objects/custom-object.js';
import { unlessMissing } from '../objects/readable.js';
import type { Change } from '../reflector/index.js';
import {
  isAbout,
  isStill,
  outcomeOf,
  REPORT_TYPE,
  reportObject,
  type ReportObject,
} from './report-object.js';

export interface ComponentReportsOptions {
  client: ApiClient;
  cache: {
    list(): ReportObject[];
    seen(object: ReportObject): void;
    gone(object: ReportObject): void;
    onChange(handler: (change: Change<ReportObject>) => void): () => void;
  };
  ledger: {
    /** Puts a report to the entries that it is still about. @returns those */
    keepReport(
      ownerUid: string,
      targetUid: string,
      report: OutcomeReport,
      isStill: (entry: LedgerEntry, key: string) => boolean,
    ): Promise<LedgerEntry[]>;
  };
  lanes: () => { readonly leading: boolean; take(orders: readonly LaneOrder[]): Promise<void> };
  /** Whether this replica, when it leads, knows all ledgers of a namespace. */
  inReach: (namespace: string | undefined) => boolean;
  log: { warn(fields: object): void };
}

const RETRY = { firstMs: 200, mostMs: 10_000 };

/**
 * Reports about components. Any replica writes one down before it is acknowledged, with the rows of the ledger that it is about;
 * the leader, which alone writes ledgers, puts it there and orders the runs that take it up. Until then it survives whoever
 * leads, and a new leader finds it.
 */
export class ComponentReports {
  #unsubscribe: (() => void) | undefined;
  /** Of the term in which this replica leads. */
  #over = new AbortController();
  /** Reports whose way into the ledger is under way, and those that changed meanwhile. */
  readonly #underWay = new Map<string, ReportObject | undefined>();

  constructor(private readonly options: ComponentReportsOptions) {
    this.#over.abort();
  }

  start(): void {
    this.#unsubscribe ??= this.options.cache.onChange(({ after }) => {
      if (after) this.#take(after);
    });
  }

  stop(): void {
    this.#unsubscribe?.();
    this.end();
  }

  /** This replica leads, and knows the ledgers as they are. */
  begin(): void {
    this.#over.abort(new Error('another term has begun'));
    this.#over = new AbortController();
    setMaxListeners(0, this.#over.signal);
    for (const report of this.options.cache.list()) this.#take(report);
  }

  end(): void {
    this.#over.abort(new Error('the term has ended'));
  }

  /**
   * Writes a report down. One about nothing that is awaited is left out, as it changes nothing.
   * @throws UnavailableError `NotLeader` where nothing new can be written down, and this replica does not lead
   */
  async accept(target: CustomObject<'Target'>, report: ComponentReport): Promise<void> {
    const { client, cache } = this.options;
    const { namespace, uid = '' } = target.metadata;
    // Read anew: this replica may not have seen yet what the leader has just asked a provider for.
    const { items } = await listAll(client, LEDGER_TYPE, {
      namespace,
      fieldSelector: `spec.targetUid=${uid}`,
    });
    const entries = items.flatMap(entriesIn).filter((entry) => isAbout(report, entry));
    if (entries.length === 0) return;
    const body = reportObject(target, report, entries);
    const { name } = body.metadata;
    const patch = { kind: 'apply', body, fieldManager: 'symphony-engine', force: true } as const;
    try {
      cache.seen(await client.patch(REPORT_TYPE, { name, ...(namespace ? { namespace } : {}) }, patch));
    } catch (error) {
      if (!(error instanceof ConflictError) || error.code !== 'NamespaceTerminating') throw error;
      await this.#takeAtOnce(body);
    }
  }

  /** In a namespace that is being deleted nothing is created, but a removal there may wait for this very report. */
  async #takeAtOnce(report: ReportObject): Promise<void> {
    const { lanes, inReach } = this.options;
    const { signal } = this.#over;
    if (signal.aborted || !lanes().leading || !inReach(report.metadata.namespace)) throw notTaken();
    try {
      await this.#intoLedger(report);
    } catch (error) {
      // Somebody else has written: this replica leads no more, or its picture of the ledger is late.
      throw error instanceof FencedError ? notTaken() : error;
    }
  }

  #take(report: ReportObject): void {
    const { uid = '', namespace } = report.metadata;
    const { lanes, inReach } = this.options;
    const { signal } = this.#over;
    if (signal.aborted || !lanes().leading || !inReach(namespace)) return;
    const busy = this.#underWay.has(uid);
    this.#underWay.set(uid, busy ? report : undefined);
    if (!busy) void this.#untilTaken(report, signal);
  }

  /** Tries until it is done, or the term is over. */
  async #untilTaken(report: ReportObject, signal: AbortSignal): Promise<void> {
    const { uid = '' } = report.metadata;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#carry(report, signal);
        break;
      } catch (error) {
        if (signal.aborted) break;
        this.options.log.warn({ msg: 'A report is not in the ledger yet', error: messageOf(error) });
        await pause(backoffMs(attempt, RETRY), signal);
      }
    }
    const newer = this.#underWay.get(uid);
    this.#underWay.delete(uid);
    // Also when the term has ended: another one of this process may have begun.
    if (newer) this.#take(newer);
  }

  async #carry(report: ReportObject, signal: AbortSignal): Promise<void> {
    const { client, cache } = this.options;
    await this.#intoLedger(report);
    const { name, namespace = '', uid = '', resourceVersion = '' } = report.metadata;
    try {
      const what = { uid, resourceVersion, signal };
      await unlessMissing(client.delete(REPORT_TYPE, { name, namespace }, what));
      cache.gone(report);
    } catch (error) {
      // Somebody has reported anew: that comes with the watch.
      if (!(error instanceof ConflictError)) throw error;
    }
  }

  /** Puts it to the rows that it is about, and orders the runs that take it up. @throws FencedError */
  async #intoLedger(report: ReportObject): Promise<void> {
    const { lanes, ledger } = this.options;
    const { targetUid, targetName, component, rows } = report.spec;
    for (const owner of new Map(rows.map((row) => [row.owner.uid, row.owner])).values()) {
      const about = new Map(rows.filter((row) => row.owner.uid === owner.uid).map((row) => [row.key, row]));
      const kept = await ledger.keepReport(owner.uid, targetUid, outcomeOf(report), (entry, key) => {
        const row = about.get(key);
        return row !== undefined && isStill(report, row, entry);
      });
      // A posted deployment brings targets of its own, which nobody reports about.
      if (kept.length === 0 || owner.kind === 'Inline') continue;
      const { kind, namespace, name } = owner;
      const actor = `report of ${component} on ${targetName}`;
      await lanes().take([{ kind, namespace, name, generation: 0, action: 'update', cause: 'retry', actor }]);
    }
  }
}

function notTaken(): UnavailableError {
  return new UnavailableError(
    'The namespace is being deleted, so that only the leader can take this report, and this replica does not lead: report it again.',
    'NotLeader',
  );
}
