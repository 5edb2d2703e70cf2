import {
  ConflictError,
  InvalidInputError,
  NotFoundError,
  UnavailableError,
  type LedgerEntry,
} from '@symphony/model';
import {
  FencedError,
  refuseOlderJob,
  storedObjectExists,
  type Claim,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type RunOutcome,
} from '../../../modules/queue/index.js';
import { backoffMs, pause, type ApiClient } from '../client/index.js';
import { typeOf } from '../objects/custom-object.js';
import { unlessMissing } from '../objects/readable.js';
import {
  afterRun,
  afterStoring,
  deploymentText,
  held,
  isOrphaned,
  isLeftToInstance,
  ownerUidOf,
  POSTED_FINALIZER,
  POSTED_TYPE,
  postedAgain,
  postedRefOf,
  seqOf,
  type PostedObject,
} from './posted-object.js';

/** The records as this replica last saw them: never older than what it wrote itself. */
interface PostedCache {
  get(ref: { namespace: string; name: string }): PostedObject | undefined;
  byUid(uid: string): PostedObject | undefined;
  seen(object: PostedObject): void;
}

export interface PostedRecordsOptions {
  client: Pick<ApiClient, 'get' | 'create' | 'replace'>;
  cache: PostedCache;
  /** Undefined: all. */
  namespaces: readonly string[] | undefined;
  ledger: {
    entriesOf(ownerUid: string): Promise<readonly unknown[]>;
    /** Gives up what is there without removing it. @returns what that was */
    releaseOwner(ownerUid: string): Promise<LedgerEntry[]>;
  };
  /** @throws FencedError when the run has lost its lane */
  assertFence(claim: Claim): void;
  /** The server has refused this record, because its epoch is lower than the stored one. Not waited for. */
  refused?: (record: PostedObject) => void;
}

/** A record that others change this often under our hands is fought over. */
const MAX_TRIES = 20;
const RETRY = { firstMs: 10, mostMs: 200 };

/**
 * Posted deployments as custom resources: one for each name, written before a post is acknowledged, by whichever replica was
 * asked, and told of the outcome by whoever leads. So a post outlives the leader, and whoever waits for it waits on any replica.
 */
export class PostedRecords {
  #isOver = (): boolean => false;

  constructor(private readonly options: PostedRecordsOptions) {}

  /** From now on nobody waits here any more. @param settled whether no run of this replica can bring an outcome */
  endWaits(settled: () => boolean): void {
    this.#isOver = settled;
  }

  /**
   * Writes down what was posted.
   * @returns what `isDone` takes
   * @throws ConflictError, InvalidInputError, SymphonyError 413 `ObjectTooLarge`
   */
  async accept(order: LaneOrder & { payload: InlinePayload }): Promise<string> {
    const { client, cache, namespaces } = this.options;
    const text = deploymentText(order.payload.deployment);
    if (namespaces && !namespaces.includes(order.namespace)) throw notServed(order);
    const record = await trying(async () => {
      const stored = await unlessMissing(client.get(typeOf('Instance'), order));
      if (stored) throw storedObjectExists(order);
      const before = await unlessMissing(client.get(POSTED_TYPE, postedRefOf(order)));
      if (before?.metadata.deletionTimestamp !== undefined && order.action === 'update') throw going(order);
      if (before) refuseOlderJob(before.spec.jobId, order.payload.jobId);
      const after = postedAgain(before, order, text);
      return before ? client.replace(POSTED_TYPE, after) : client.create(POSTED_TYPE, after);
    });
    cache.seen(record);
    return `${record.metadata.uid}/${record.spec.seq}`;
  }

  /**
   * Whether an order has run, on whichever replica.
   * @param order as `accept` gave it out
   * @throws UnavailableError when its record was deleted meanwhile, or this replica ends; ConflictError when an object was stored
   * under its name, which has not run for it
   */
  async isDone(key: LaneKey, order: string): Promise<boolean> {
    const { client, cache } = this.options;
    const [uid = '', seq] = order.split('/');
    const record = cache.byUid(uid) ?? (await unlessMissing(client.get(POSTED_TYPE, postedRefOf(key))));
    if (record?.metadata.uid !== uid) throw recordGone(key);
    if (record.spec.doneSeq >= Number(seq)) {
      if (isLeftToInstance(record)) throw storedObjectExists(key);
      return true;
    }
    if (this.#isOver()) throw ending(key);
    return false;
  }

  /**
   * Tells how a run has ended; with the last component the record of what is to go goes as well.
   * @throws FencedError when a newer leader has written already
   */
  async ended(claim: Claim, outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    const seq = seqOf(claim);
    if (seq === undefined || outcome.result === 'yielded') return;
    const left = await this.options.ledger.entriesOf(ownerUidOf(claim));
    await this.#change(claim, signal, (record) => {
      this.options.assertFence(claim);
      const after = afterRun(record, seq, claim, outcome);
      const goes = record.metadata.deletionTimestamp !== undefined && left.length === 0;
      return goes ? withoutFinalizer(after) : after;
    });
  }

  /** An object was stored under the name of what was posted. */
  async superseded(key: LaneKey, signal: AbortSignal): Promise<void> {
    await this.#change(key, signal, (record) =>
      record.spec.deployment === undefined ? undefined : afterStoring(record),
    );
  }

  /** Puts our finalizer on again, after another installation has let go. */
  async holdAgain({ spec: { owner } }: PostedObject, signal: AbortSignal): Promise<void> {
    await this.#change({ ...owner, kind: 'Instance' }, signal, (record) => {
      const metadata = held(record.metadata);
      return metadata === record.metadata ? undefined : { ...record, metadata };
    });
  }

  /** Takes our finalizer off a record unless it has changed. @returns the record then */
  async letGo(record: PostedObject, signal: AbortSignal): Promise<PostedObject> {
    const written = await this.options.client.replace(POSTED_TYPE, withoutFinalizer(record), { signal });
    this.options.cache.seen(written);
    return written;
  }

  /** Lets a record go that is to be orphaned. @returns what was deployed, which stays @throws FencedError */
  async giveUp({ spec: { owner } }: PostedObject, signal: AbortSignal): Promise<LedgerEntry[]> {
    const left = await this.options.ledger.releaseOwner(owner.uid);
    await this.#change({ ...owner, kind: 'Instance' }, signal, (record) =>
      isOrphaned(record) ? withoutFinalizer(record) : undefined,
    );
    return left;
  }

  /** Begins with what was last seen: if that is old, the server refuses the write, and the record is read. */
  async #change(
    key: LaneKey,
    signal: AbortSignal,
    change: (record: PostedObject) => PostedObject | undefined,
  ): Promise<void> {
    const { client, cache } = this.options;
    const ref = postedRefOf(key);
    let seen = cache.get(ref);
    const written = await trying(async () => {
      const record = seen ?? (await unlessMissing(client.get(POSTED_TYPE, ref, { signal })));
      seen = undefined;
      const after = record && change(record);
      return after && unlessMissing(this.#fenced(client.replace(POSTED_TYPE, after, { signal }), after));
    }, signal);
    if (written) cache.seen(written);
  }

  /** A newer leader has told of a run already, or so it seems: why, is looked at beside. */
  async #fenced<T>(write: Promise<T>, record: PostedObject): Promise<T> {
    try {
      return await write;
    } catch (error) {
      if (!isEpochRefusal(error)) throw error;
      this.options.refused?.(record);
      const fenced = new FencedError();
      fenced.cause = error;
      throw fenced;
    }
  }
}

function withoutFinalizer(record: PostedObject): PostedObject {
  const finalizers = (record.metadata.finalizers ?? []).filter((name) => name !== POSTED_FINALIZER);
  return { ...record, metadata: { ...record.metadata, finalizers } };
}

/** A conflict means that somebody wrote in between: what was posted meanwhile and what has run do not contradict each other. */
async function trying<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const between =
        error instanceof ConflictError && (error.code === 'Conflict' || error.code === 'AlreadyExists');
      if (!between || attempt === MAX_TRIES) throw error;
      await pause(backoffMs(attempt, RETRY), signal);
    }
  }
}

/** The rule of the schema, not some other field that is wrong. */
function isEpochRefusal(error: unknown): boolean {
  return error instanceof InvalidInputError && error.problems.some(({ path }) => path.endsWith('epoch'));
}

function going({ namespace, name }: LaneKey): ConflictError {
  return new ConflictError(
    `What was posted as ${name} in namespace ${namespace} is being removed; post it again when it is gone.`,
    'ObjectDeleting',
  );
}

function notServed({ namespace }: LaneKey): NotFoundError {
  return new NotFoundError(
    `The engine does not serve the namespace ${namespace} (kubernetes.namespaces).`,
    'NamespaceNotFound',
  );
}

function ending({ namespace, name }: LaneKey): UnavailableError {
  return new UnavailableError(
    `This replica ends. What was posted as ${name} in namespace ${namespace} is taken, and carried out by another one: post it again with the same job id to wait for it there.`,
    'Ending',
  );
}

function recordGone({ namespace, name }: LaneKey): UnavailableError {
  return new UnavailableError(
    `The record of what was posted as ${name} in namespace ${namespace} was deleted, so that its outcome is not known. Post it again.`,
    'PostedDeploymentGone',
  );
}
