import { setMaxListeners } from 'node:events';
import { messageOf } from '@symphony/model';
import type { InlinePayload, LaneKey, LaneOrder } from '../../../modules/queue/index.js';
import { backoffMs, listAll, pause, type ApiClient, type ObjectRef } from '../client/index.js';
import type { KnownPosted } from '../lanes/index.js';
import type { LedgerObject } from '../ledger/ledger-object.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import {
  isOpen,
  knownPosted,
  laneKeyOf,
  orderOf,
  POSTED_FINALIZER,
  POSTED_TYPE,
  postedRefOf,
  removalOf,
  type PostedObject,
} from './posted-object.js';
import type { PostedRecords } from './posted-records.js';

/** What posted deployments need of the lanes. */
interface LanesOfPosted {
  readonly leading: boolean;
  recallPosted(posted: KnownPosted): void;
  takePosted(order: LaneOrder & { payload: InlinePayload }): void;
  forgetPosted(key: LaneKey): void;
}

export interface PostedLanesOptions {
  client: ApiClient;
  /** Undefined: all. */
  namespaces: readonly string[] | undefined;
  /** Whether this replica, when it leads, decides on what is in a namespace. */
  inReach: (namespace: string | undefined) => boolean;
  records: PostedRecords;
  cache: {
    get(ref: ObjectRef): PostedObject | undefined;
    list(): PostedObject[];
    seen(object: PostedObject): void;
    onChange(handler: (change: Change<PostedObject>) => void): () => void;
  };
  ledgers: { byIndex(index: 'owner', uid: string): LedgerObject[]; list(): LedgerObject[] };
  lanes: () => LanesOfPosted;
  instances: {
    get(ref: ObjectRef): unknown;
    onChange: (handler: (change: Change<CustomObject<'Instance'>>) => void) => () => void;
  };
  /** Tells those who wait for a posted deployment, on any replica. */
  finished: () => void;
  log: { warn(fields: object): void };
  timing?: Partial<PostedTiming>;
}

export interface PostedTiming {
  /** What has run and left nothing behind is remembered for so long: until then a lower job id is refused. */
  keptMs: number;
  sweepEveryMs: number;
}

const TIMING: PostedTiming = { keptMs: 24 * 3_600_000, sweepEveryMs: 3_600_000 };
const RETRY = { firstMs: 500, mostMs: 30_000 };

/**
 * Brings posted deployments from their records into the lanes, while this replica leads. Level-triggered, as the orders of
 * objects: a record says whether it has something to do.
 */
export class PostedLanes {
  readonly #timing: PostedTiming;
  #unsubscribe: (() => void)[] = [];
  /** Of the term in which this replica leads. */
  #over = new AbortController();
  /** By record, the order that its lane was given last in this term. Undefined: the records are not read yet. */
  #taken: Map<string, number> | undefined;
  #read = Promise.resolve();
  #sweeping: NodeJS.Timeout | undefined;

  constructor(private readonly options: PostedLanesOptions) {
    this.#timing = { ...TIMING, ...options.timing };
    this.#over.abort();
  }

  /** Follows the records, on every replica. */
  start(): void {
    const { cache, instances } = this.options;
    this.#unsubscribe = [
      cache.onChange((change) => this.#changed(change)),
      // Once all who are told of it have drawn their conclusions: a lane goes with its object.
      instances.onChange((change) => queueMicrotask(() => this.#instanceChanged(change))),
    ];
  }

  stop(): void {
    for (const end of this.#unsubscribe) end();
    this.end();
  }

  /** This replica leads, and has the lanes of all objects. */
  begin(): void {
    this.end();
    const { signal } = (this.#over = new AbortController());
    setMaxListeners(0, signal);
    this.#read = new Promise((resolve) => {
      this.#untilDone(() => this.#readAll(signal).finally(resolve), signal);
    });
  }

  end(): void {
    this.#over.abort(new Error('the term has ended'));
    this.#taken = undefined;
    clearInterval(this.#sweeping);
  }

  /** Resolves when the lanes have all that was posted before this term, or it is known that this takes longer. */
  whenRead(): Promise<void> {
    return this.#read;
  }

  /** The records are read anew: what another leader wrote last decides what has run. */
  async #readAll(signal: AbortSignal): Promise<void> {
    const { client, namespaces, inReach, cache } = this.options;
    const lists = (namespaces ?? [undefined])
      .filter((namespace) => inReach(namespace))
      .map((namespace) => listAll(client, POSTED_TYPE, { namespace, signal }));
    const records = (await Promise.all(lists)).flatMap(({ items }) => items);
    if (signal.aborted) return;
    for (const record of records) cache.seen(record);
    // In one go with the lanes: from here on, changes are taken as they come.
    this.#taken = new Map();
    for (const record of records) {
      const { namespace, name } = record.metadata;
      // What was seen since the list was made is newer.
      const known = cache.get({ name, namespace: namespace ?? '' });
      if (known && known.metadata.uid === record.metadata.uid) this.#recall(known, signal);
    }
    this.#removeStrays(records);
    this.#sweep(signal);
    this.#sweeping = setInterval(() => this.#sweep(signal), this.#timing.sweepEveryMs);
    this.#sweeping.unref();
  }

  #recall(record: PostedObject, signal: AbortSignal): void {
    const { records, lanes } = this.options;
    if (this.#isTaken(record) || this.#isLeftToInstance(record)) return;
    this.#take(record);
    lanes().recallPosted(knownPosted(record));
    if (!record.metadata.finalizers?.includes(POSTED_FINALIZER))
      this.#untilDone(() => records.holdAgain(record, signal), signal);
  }

  #changed({ key, before, after }: Change<PostedObject>): void {
    const { lanes, finished } = this.options;
    finished();
    if (!this.#decidesIn(key.namespace)) return;
    if (!after) {
      // Should it appear again, as after a list that lacked it for a moment, it has a lane to get anew.
      this.#taken?.delete(key.uid);
      if (before) lanes().forgetPosted(laneKeyOf(before));
      return;
    }
    const isGoing = ({ metadata }: PostedObject): boolean => metadata.deletionTimestamp !== undefined;
    const isNew = !this.#isTaken(after) || (isGoing(after) && (!before || !isGoing(before)));
    if (isNew) this.#order(after);
  }

  /** A stored object and what is posted under its name share a lane: the object has it while it is there. */
  #instanceChanged({ after, key }: Change<CustomObject<'Instance'>>): void {
    const record = this.options.cache.get(postedRefOf({ ...key, kind: 'Instance' }));
    if (!record || !this.#decidesIn(key.namespace)) return;
    if (after) this.#isLeftToInstance(record);
    else this.#order(record);
  }

  #decidesIn(namespace: string): boolean {
    const { lanes, inReach } = this.options;
    return this.#taken !== undefined && lanes().leading && inReach(namespace);
  }

  #order(record: PostedObject): void {
    if (!isOpen(record) || this.#isLeftToInstance(record)) return;
    this.#take(record);
    this.options.lanes().takePosted(orderOf(record));
  }

  #isLeftToInstance(record: PostedObject): boolean {
    const key = laneKeyOf(record);
    if (this.options.instances.get(key) === undefined) return false;
    const { signal } = this.#over;
    if (record.spec.deployment !== undefined)
      this.#untilDone(() => this.options.records.superseded(key, signal), signal);
    return true;
  }

  #isTaken({ metadata: { uid = '' }, spec }: PostedObject): boolean {
    return (this.#taken?.get(uid) ?? 0) >= spec.seq;
  }

  #take({ metadata: { uid = '' }, spec }: PostedObject): void {
    this.#taken?.set(uid, spec.seq);
  }

  /** Ledgers that are to go with their namespace, and whose record has gone before them. */
  #removeStrays(records: readonly PostedObject[]): void {
    const known = new Set(records.map(({ spec }) => spec.owner.uid));
    for (const { metadata, spec } of this.options.ledgers.list()) {
      const { kind, namespace, name, uid } = spec.owner;
      if (kind !== 'Inline' || metadata.deletionTimestamp === undefined || known.has(uid)) continue;
      if (!this.options.inReach(namespace)) continue;
      known.add(uid);
      this.options.lanes().takePosted({
        kind: 'Instance',
        namespace,
        name,
        generation: 0,
        action: 'delete',
        cause: 'dependent',
        payload: { deployment: removalOf(name), jobId: '' },
      });
    }
  }

  /** Lets records go that nobody needs any more. */
  #sweep(signal: AbortSignal): void {
    const { cache, ledgers, client, records, inReach } = this.options;
    const before = Date.now() - this.#timing.keptMs;
    for (const record of cache.list()) {
      const { last, owner, seq, doneSeq } = record.spec;
      if (
        !inReach(owner.namespace) ||
        isOpen(record) ||
        doneSeq < seq ||
        !last ||
        Date.parse(last.endedAt) > before
      )
        continue;
      if (ledgers.byIndex('owner', owner.uid).some(({ spec }) => (spec.entries ?? []).length > 0)) continue;
      void (async () => {
        // Refused when something was posted meanwhile.
        const { metadata } = await records.letGo(record, signal);
        const { name, namespace = '', uid = '', resourceVersion = '' } = metadata;
        await client.delete(POSTED_TYPE, { name, namespace }, { uid, resourceVersion, signal });
      })().catch(() => undefined);
    }
  }

  /** Tries until it is done, or the term is over. */
  #untilDone(work: () => Promise<void>, signal: AbortSignal): void {
    void (async () => {
      for (let attempt = 1; !signal.aborted; attempt++) {
        try {
          await work();
          return;
        } catch (error) {
          if (signal.aborted) return;
          this.options.log.warn({ msg: 'Posted deployments: it is tried again', error: messageOf(error) });
          await pause(backoffMs(attempt, RETRY), signal);
        }
      }
    })();
  }
}
