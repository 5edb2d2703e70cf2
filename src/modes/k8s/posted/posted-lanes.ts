import { setMaxListeners } from 'node:events';
import { messageOf } from '@symphony/model';
import type { InlinePayload, LaneKey, LaneOrder } from '../../../modules/queue/index.js';
import { backoffMs, listAll, pause, type ApiClient, type ObjectRef } from '../client/index.js';
import type { KnownPosted } from '../lanes/index.js';
import { lineOf, type LedgerObject } from '../ledger/ledger-object.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import {
  isOpen,
  isOrphaned,
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
  log: { warn(fields: object): void; info?(fields: object): void };
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
  /** By record, the order that its lane was given last in this term. */
  readonly #taken = new Map<string, number>();
  /** Records that are being given up, in this term. */
  readonly #givenUp = new Set<string>();
  /** The served namespaces whose records were read in this term: in no other one anything is decided. Undefined stands for all. */
  readonly #known = new Set<string | undefined>();
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
    const { namespaces, inReach } = this.options;
    const served = (namespaces ?? [undefined]).filter((namespace) => inReach(namespace));
    this.#read = Promise.all(served.map((namespace) => this.#begun(namespace, signal))).then(() => undefined);
    this.#sweeping = setInterval(() => this.#sweep(signal), this.#timing.sweepEveryMs).unref();
  }

  end(): void {
    this.#over.abort(new Error('the term has ended'));
    this.#taken.clear();
    this.#givenUp.clear();
    this.#known.clear();
    clearInterval(this.#sweeping);
  }

  /** Resolves when the lanes have all that was posted before this term, or it is known that this takes longer. */
  whenRead(): Promise<void> {
    return this.#read;
  }

  /** Each namespace by itself: what the server refuses of one holds no other up. Resolves after the first attempt. */
  #begun(namespace: string | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#untilDone(() => this.#readIn(namespace, signal).finally(resolve), signal, namespace);
    });
  }

  /** The records are read anew: what another leader wrote last decides what has run. */
  async #readIn(namespace: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, cache } = this.options;
    const { items: records } = await listAll(client, POSTED_TYPE, { namespace, signal });
    if (signal.aborted) return;
    for (const record of records) cache.seen(record);
    // In one go with the lanes: from here on, changes are taken as they come.
    this.#known.add(namespace);
    for (const { metadata } of records) {
      // What was seen since the list was made is newer.
      const known = cache.get({ name: metadata.name, namespace: metadata.namespace ?? '' });
      if (known && known.metadata.uid === metadata.uid) this.#recall(known, signal);
    }
    this.#removeStrays(records, namespace);
    this.#sweep(signal, namespace);
  }

  #recall(record: PostedObject, signal: AbortSignal): void {
    const { records, lanes } = this.options;
    if (this.#givesUp(record) || this.#isTaken(record) || this.#isLeftToInstance(record)) return;
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
      this.#taken.delete(key.uid);
      this.#givenUp.delete(key.uid);
      if (before) lanes().forgetPosted(laneKeyOf(before));
      return;
    }
    if (this.#givesUp(after)) return;
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
    const isKnown = this.#known.has(undefined) || this.#known.has(namespace);
    return isKnown && lanes().leading && inReach(namespace);
  }

  #order(record: PostedObject): void {
    if (!isOpen(record) || this.#givesUp(record) || this.#isLeftToInstance(record)) return;
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

  /** `symphony/deletion-policy: orphan` on a record that is being deleted: it goes, and nothing runs for it any more. Begins that once. */
  #givesUp(record: PostedObject): boolean {
    if (!isOrphaned(record)) return false;
    const { uid = '' } = record.metadata;
    if (this.#givenUp.has(uid)) return true;
    this.#givenUp.add(uid);
    const { lanes, records, log } = this.options;
    const { signal } = this.#over;
    // From then on a run under way can write nothing more.
    lanes().forgetPosted(laneKeyOf(record));
    this.#untilDone(async () => {
      const left = await records.giveUp(record, signal);
      const { namespace, name } = record.spec.owner;
      log.info?.({
        msg: 'A posted deployment was orphaned as asked',
        deployment: `${namespace}/${name}`,
        left: left.map(lineOf),
      });
    }, signal);
    return true;
  }

  #isTaken({ metadata: { uid = '' }, spec }: PostedObject): boolean {
    return (this.#taken.get(uid) ?? 0) >= spec.seq;
  }

  #take({ metadata: { uid = '' }, spec }: PostedObject): void {
    this.#taken.set(uid, spec.seq);
  }

  /**
   * Ledgers that are to go with their namespace, and whose record has gone before them.
   * @param records all of the namespace
   */
  #removeStrays(records: readonly PostedObject[], of: string | undefined): void {
    const known = new Set(records.map(({ spec }) => spec.owner.uid));
    for (const { metadata, spec } of this.options.ledgers.list()) {
      const { kind, namespace, name, uid } = spec.owner;
      if (kind !== 'Inline' || metadata.deletionTimestamp === undefined || known.has(uid)) continue;
      if ((of !== undefined && namespace !== of) || !this.#decidesIn(namespace)) continue;
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

  /** Lets records go that nobody needs any more. @param of in one namespace; undefined: in all */
  #sweep(signal: AbortSignal, of?: string): void {
    const { cache, ledgers, client, records } = this.options;
    const before = Date.now() - this.#timing.keptMs;
    for (const record of cache.list()) {
      const { last, owner, seq, doneSeq } = record.spec;
      if (
        (of !== undefined && owner.namespace !== of) ||
        !this.#decidesIn(owner.namespace) ||
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
  #untilDone(work: () => Promise<void>, signal: AbortSignal, namespace?: string): void {
    void (async () => {
      for (let attempt = 1; !signal.aborted; attempt++) {
        try {
          await work();
          return;
        } catch (error) {
          if (signal.aborted) return;
          const fields = { ...(namespace === undefined ? {} : { namespace }), error: messageOf(error) };
          this.options.log.warn({ msg: 'Posted deployments: it is tried again', ...fields });
          await pause(backoffMs(attempt, RETRY), signal);
        }
      }
    })();
  }
}
