import type { SummaryStore } from '../../modules/queue/index.js';
import type { ApiClient } from './client/index.js';
import type { OrderedLanes, PostedOrders } from './controller/ordered-lanes.js';
import { termOf, type OutcomeWriter } from './lanes/index.js';
import { highestKnown, type RefusedWrites } from './leadership/index.js';
import type { LedgerObject } from './ledger/ledger-object.js';
import type { KubernetesLedger } from './ledger/kubernetes-ledger.js';
import type { CustomObject } from './objects/custom-object.js';
import type { InstanceIndex } from './objects/object-reflectors.js';
import {
  POSTED_TYPE,
  PostedLanes,
  PostedRecords,
  PostedSummaries,
  refusedPosted,
  summaryIndexOf,
  type PostedObject,
} from './posted/index.js';
import { Reflector, type FeedLog, type ReflectorTiming } from './reflector/index.js';
import { ComponentReports, REPORT_TYPE, type ReportObject } from './reports/index.js';

export interface InboxOptions {
  client: ApiClient;
  /** Undefined: all. */
  namespaces: readonly string[] | undefined;
  timing: Partial<ReflectorTiming>;
  log: FeedLog;
  instances: Reflector<CustomObject<'Instance'>, InstanceIndex>;
  ledgers: { byIndex(index: 'owner', uid: string): LedgerObject[]; list(): LedgerObject[] };
  ledger: KubernetesLedger;
  lanes: () => OrderedLanes;
  /** Whether this replica, when it leads, decides on what is in a namespace. */
  inReach: (namespace: string | undefined) => boolean;
  /** Tells those who wait for a posted deployment. */
  finished: () => void;
  /** Looks at why the server has refused a record. */
  refused: Pick<RefusedWrites, 'look'>;
}

/**
 * What any replica takes in REST's name and only the leader can act on, other than orders, which stand on their objects: posted
 * deployments and reports about components. It is written to records of its own before it is acknowledged.
 */
export class Inbox {
  readonly posted: Reflector<PostedObject, 'summary'>;
  readonly reported: Reflector<ReportObject>;
  readonly reports: ComponentReports;
  /** For the lanes. */
  readonly orders: PostedOrders;
  readonly #records: PostedRecords;
  readonly #lanes: PostedLanes;
  readonly #finished: () => void;

  constructor(options: InboxOptions) {
    const { client, namespaces, timing, log, instances, ledgers, ledger, lanes, inReach, finished } = options;
    const shared = { client, namespaces, timing, log };
    this.#finished = finished;
    this.reported = new Reflector({ ...shared, type: REPORT_TYPE });
    this.posted = new Reflector({
      ...shared,
      type: POSTED_TYPE,
      indexes: {
        summary: ({ spec: { owner, last } }) =>
          last?.summaryKey === undefined ? [] : [summaryIndexOf(owner.namespace, last.summaryKey)],
      },
    });
    this.#records = new PostedRecords({
      client,
      cache: this.posted,
      namespaces,
      ledger,
      assertFence: ({ fence }) => lanes().assertFence(fence),
      refused: (record) => void options.refused.look(refusedPosted(client, record)),
    });
    this.#lanes = new PostedLanes({
      client,
      namespaces,
      inReach,
      log,
      records: this.#records,
      cache: this.posted,
      ledgers,
      lanes,
      instances,
      finished,
    });
    this.reports = new ComponentReports({ client, cache: this.reported, ledger, lanes, inReach, log });
    this.orders = {
      accept: (order) => this.#records.accept(order),
      isDone: (key, order) => this.#records.isDone(key, order),
      whenRead: () => this.#lanes.whenRead(),
      begin: () => {
        this.#lanes.begin();
        this.reports.begin();
      },
      end: () => {
        this.#lanes.end();
        this.reports.end();
      },
    };
  }

  /** The highest term of which the records have a trace. Reports carry none. */
  get knownTerm(): number {
    return highestKnown(this.posted.list().map(({ spec }) => termOf(spec.epoch)));
  }

  start(): void {
    this.posted.start();
    this.reported.start();
    this.#lanes.start();
    this.reports.start();
  }

  /**
   * This replica ends: who waits for a posted deployment is told so.
   * @param settled whether no run of this replica can bring the outcome any more
   */
  endWaits(settled: () => boolean): void {
    this.#records.endWaits(settled);
    this.#finished();
  }

  async stop(): Promise<void> {
    this.#lanes.stop();
    this.reports.stop();
    await Promise.all([this.posted.stop(), this.reported.stop()]);
  }

  /** What runs leave behind, with the outcome of posted deployments in their records. */
  writer(others: OutcomeWriter): OutcomeWriter {
    return async (claim, outcome, stop) => {
      const letGo = await others(claim, outcome, stop);
      if (claim.payload) await this.#records.ended(claim, outcome, stop);
      return letGo;
    };
  }

  summaries(others: SummaryStore): SummaryStore {
    return new PostedSummaries(others, this.posted);
  }
}
