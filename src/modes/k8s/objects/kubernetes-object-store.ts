import { randomUUID } from 'node:crypto';
import {
  BODY_CLASSES,
  ConflictError,
  fieldsOf,
  messageOf,
  NotFoundError,
  UnavailableError,
  withDefaults,
  type DeployableKind,
  type ObjectKind,
  type SpecByKind,
  type StoredObject,
} from '@symphony/model';
import {
  checkPrecondition,
  decideWrite,
  decodeToken,
  encodeToken,
  MAX_REPORTED_PROPERTIES,
  notFound,
  ObjectStore,
  tooManyProperties,
  type ComponentReport,
  type EffectsOf,
  type ListQuery,
  type ObjectKey,
  type ObjectPage,
  type ObjectWrite,
  type OrphanResult,
  type Precondition,
  type WriteResult,
  type WrittenHalf,
} from '../../../modules/state/index.js';
import { backoffMs, pause, type ApiClient } from '../client/index.js';
import { OrderAnnotation, ordersByRest, toStored, typeOf, type CustomObject } from './custom-object.js';
import { comparePositions, matches } from './matching.js';

/** An object that others change this often under our hands is fought over. */
const MAX_TRIES = 30;
const RETRY = { firstMs: 10, mostMs: 200 };
/** No write waits longer for those before it: if the cluster is slow, all of them learn so at about the same time. */
const TURN_MS = 1_000;

/** What is written on the object for whoever removes it: leave what it deployed. */
export const DELETION_POLICY = 'symphony/deletion-policy';

/** Annotations that tools of Kubernetes keep on objects; a client of the REST API does not know them and does not resend them. */
const OF_TOOLS = /^([a-z0-9-]+\.)*(kubernetes|k8s|argoproj|fluxcd)\.io\//;

/** The objects as this replica last saw them. */
export interface ObjectCache {
  /** @throws UnavailableError `CacheNotReady` before all of them were seen */
  listed<K extends ObjectKind>(kind: K, namespace?: string): Iterable<CustomObject<K>>;
}

export interface KubernetesObjectStoreOptions {
  client: Pick<ApiClient, 'get' | 'create' | 'replace' | 'patch' | 'delete'>;
  cache: ObjectCache;
  /** What an object has deployed, and what others have on it, one line each: `<component> on <target> (<provider>)`. */
  linesOf(uid: string): string[];
  /** Writes down what was reported of a component, for the leader to take up. */
  takeReport(target: CustomObject<'Target'>, report: ComponentReport): Promise<void>;
}

/**
 * Objects as custom resources. One object is read and written live, so that a client sees its own writes on every replica;
 * lists come from the cache. What a write orders follows from the object itself: the leader sees the change and decides by
 * the same rules (`effectsOfWrite`), so nothing has to be stored beside it.
 */
export class KubernetesObjectStore extends ObjectStore {
  readonly #client: KubernetesObjectStoreOptions['client'];
  /** Of each object the last write that is under way. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(private readonly options: KubernetesObjectStoreOptions) {
    super();
    this.#client = options.client;
  }

  override async get<K extends ObjectKind>(key: ObjectKey<K>): Promise<StoredObject<K> | undefined> {
    const live = await this.#read(key);
    return live && toStored(key.kind, live);
  }

  override list<K extends ObjectKind>(query: ListQuery & { kind: K }): Promise<ObjectPage<K>> {
    return new Promise((resolve) => resolve(this.#page(query)));
  }

  override put<K extends ObjectKind>(write: ObjectWrite<K>, effects: EffectsOf): Promise<WriteResult<K>> {
    return this.#inTurn(write, async () => {
      const live = await this.#read(write);
      const before = live && toStored(write.kind, live);
      const filled = { ...write, spec: filledSpec(write.kind, write.spec) };
      const half = decideWrite(before, before ? withAnnotationsOfTools(before, filled) : filled);
      if (!live || !before) return { object: await this.#create(write, half), created: true, changed: true };
      if (half.changed) return { object: await this.#replace(live, half), created: false, changed: true };
      const asked = effects(before, before).orders[0];
      if (!asked) return { object: before, created: false, changed: false };
      return { object: await this.#order(before, asked.actor), created: false, changed: false };
    });
  }

  override requestDeletion<K extends ObjectKind>(
    key: ObjectKey<K>,
    precondition: Precondition,
  ): Promise<WriteResult<K>> {
    return trying(async () => {
      const { live, before } = await this.#existing(key, precondition);
      if (before.deletionTimestamp !== undefined) return { object: before, created: false, changed: false };
      await this.#delete(live, key);
      return { object: (await this.#successor(before)) ?? before, created: false, changed: true };
    });
  }

  /**
   * The leader releases the ledgers; until then they say what was left. An object that stays must not keep the mark: whoever
   * deletes it later would leave everything it deployed.
   */
  override orphan(key: ObjectKey<DeployableKind>, precondition: Precondition): Promise<OrphanResult> {
    return trying(async () => {
      const { live, before } = await this.#existing(key, precondition);
      const left = this.options.linesOf(before.uid);
      const goes = before.deletionTimestamp !== undefined;
      if (!goes) await this.#delete(live, key, { dryRun: true });
      const marked = await this.#mark(live, 'orphan');
      try {
        if (!goes) await this.#delete(marked, key);
      } catch (error) {
        await this.#unmark(live).catch(() => {
          throw markLeft(key, error);
        });
        throw error;
      }
      return { object: before, left: left.toSorted() };
    });
  }

  override report(
    key: ObjectKey<'Target'>,
    properties: Record<string, string>,
    component?: ComponentReport,
  ): Promise<StoredObject<'Target'>> {
    return trying(async () => {
      const live = await this.#read(key);
      if (!live) throw notFound(key);
      const merged = { ...live.status?.properties, ...properties };
      if (Object.keys(merged).length > MAX_REPORTED_PROPERTIES) throw tooManyProperties();
      const status = { properties, reportedAt: new Date().toISOString() };
      const patch = mergePatch({ metadata: { uid: live.metadata.uid }, status });
      const written = await this.#client.patch(typeOf('Target'), key, patch, {
        subresource: 'status',
        repeatable: true,
      });
      if (component) await this.options.takeReport(written, component);
      return toStored('Target', written);
    });
  }

  /** Writes of one object that come to this replica follow each other: at once they would only conflict, and some would starve. */
  async #inTurn<T>({ kind, namespace, name }: ObjectKey, work: () => Promise<T>): Promise<T> {
    const key = JSON.stringify([kind, namespace, name]);
    const before = this.#turns.get(key);
    const mine = (before ? Promise.race([before, pause(TURN_MS)]) : Promise.resolve()).then(() =>
      trying(work),
    );
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(key, ended);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(key) === ended) this.#turns.delete(key);
    }
  }

  #page<K extends ObjectKind>(query: ListQuery & { kind: K }): ObjectPage<K> {
    const after = decodeToken(query);
    const found: StoredObject<K>[] = [];
    for (const object of this.options.cache.listed(query.kind, query.namespace)) {
      const { namespace = '', name } = object.metadata;
      if (after && comparePositions({ namespace, name }, after) <= 0) continue;
      const stored = toStored(query.kind, object);
      if (matches(stored, query)) found.push(stored);
    }
    found.sort(comparePositions);
    const items = query.limit === undefined ? found : found.slice(0, query.limit);
    const last = items.at(-1);
    return items.length < found.length && last ? { items, next: encodeToken(query, last) } : { items };
  }

  async #read<K extends ObjectKind>({
    kind,
    namespace,
    name,
  }: ObjectKey<K>): Promise<CustomObject<K> | undefined> {
    try {
      return await this.#client.get(typeOf(kind), { namespace, name });
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  async #existing<K extends ObjectKind>(
    key: ObjectKey<K>,
    precondition: Precondition,
  ): Promise<{ live: CustomObject<K>; before: StoredObject<K> }> {
    const live = await this.#read(key);
    const before = live && toStored(key.kind, live);
    checkPrecondition(key, before, precondition);
    if (!live || !before) throw notFound(key);
    return { live, before };
  }

  async #create<K extends ObjectKind>(key: ObjectKey<K>, half: WrittenHalf<K>): Promise<StoredObject<K>> {
    const { kind, namespace, name } = key;
    const { spec, labels, annotations } = half;
    const object: CustomObject<K> = { metadata: { name, namespace, labels, annotations }, spec };
    return toStored(kind, await this.#client.create(typeOf(kind), object));
  }

  /** Conflicts with whatever else was written since `live` was read, also a status: then the decision is made anew. */
  async #replace<K extends ObjectKind>(
    live: CustomObject<K>,
    { spec, labels, annotations }: WrittenHalf<K>,
  ): Promise<StoredObject<K>> {
    const kind = live.kind as K;
    const metadata = { ...live.metadata, labels, annotations: { ...ordersByRest(live), ...annotations } };
    return toStored(kind, await unlessGone(this.#client.replace(typeOf(kind), { ...live, metadata, spec })));
  }

  /** Sent again as it is stored: an order to run now, which the leader finds on the object. */
  async #order<K extends ObjectKind>(
    stored: StoredObject<K>,
    actor: string | undefined,
  ): Promise<StoredObject<K>> {
    const { kind, uid } = stored;
    const annotations = { [OrderAnnotation.Reconcile]: requestOf(actor) };
    const patch = mergePatch({ metadata: { uid, annotations } });
    const written = this.#client.patch(typeOf(kind), stored, patch, { repeatable: true });
    return toStored(kind, await unlessGone(written));
  }

  /** Only if it is as it was read. */
  #mark(live: CustomObject, policy: string | undefined): Promise<CustomObject> {
    const annotations = { [DELETION_POLICY]: policy ?? null };
    const patch = mergePatch({ metadata: { ...identityOf(live), annotations } });
    return this.#client.patch(typeOf(live.kind as ObjectKind), keyOf(live), patch);
  }

  /** Puts back what stood there, unless the object is going all the same: the answer may have got lost. */
  async #unmark(before: CustomObject): Promise<void> {
    const policy = before.metadata.annotations?.[DELETION_POLICY];
    await trying(async () => {
      const live = await this.#read({ ...keyOf(before), kind: before.kind as ObjectKind });
      if (live?.metadata.uid !== before.metadata.uid || live?.metadata.deletionTimestamp !== undefined)
        return;
      if (live?.metadata.annotations?.[DELETION_POLICY] === 'orphan') await this.#mark(live, policy);
    });
  }

  async #delete(
    live: CustomObject,
    { kind, namespace, name }: ObjectKey,
    options: { dryRun?: boolean } = {},
  ): Promise<void> {
    const { uid, resourceVersion } = live.metadata;
    await this.#client.delete(
      typeOf(kind),
      { namespace, name },
      {
        ...options,
        propagationPolicy: 'Background',
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
    );
  }

  /** The same object after a write, if it is still there. */
  async #successor<K extends ObjectKind>(before: StoredObject<K>): Promise<StoredObject<K> | undefined> {
    const after = await this.get(before);
    return after?.uid === before.uid ? after : undefined;
  }
}

/** A new value each time, so that the same order given twice is two orders; with it who gave it. */
export function requestOf(actor: string | undefined): string {
  return actor === undefined ? randomUUID() : `${randomUUID()}/${actor}`;
}

/** A conflict means that somebody wrote in between: what was decided is decided anew on what is there now. */
async function trying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const between =
        error instanceof ConflictError && (error.code === 'Conflict' || error.code === 'AlreadyExists');
      // Our own refusals of an etag are conflicts as well, but what the server said is their cause.
      if (!between || error.cause === undefined || attempt === MAX_TRIES) throw error;
      await pause(backoffMs(attempt, RETRY));
    }
  }
}

/** What is gone since it was read was written in between as well. */
async function unlessGone<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    const conflict = new ConflictError(error.message);
    conflict.cause = error;
    throw conflict;
  }
}

function mergePatch(body: object): { kind: 'merge'; body: object } {
  return { kind: 'merge', body };
}

function keyOf({ metadata: { namespace = '', name } }: CustomObject): { namespace: string; name: string } {
  return { namespace, name };
}

function markLeft({ kind, namespace, name }: ObjectKey, error: unknown): UnavailableError {
  return new UnavailableError(
    `The deletion of ${kind} ${namespace}/${name} failed (${messageOf(error)}), and its annotation ${DELETION_POLICY} could not be taken back: take it off before you delete it in another way.`,
  );
}

function identityOf({ metadata: { uid, resourceVersion } }: CustomObject): object {
  return { uid, resourceVersion };
}

/** The spec as the API server will store it, so that what is sent again is seen to be equal. */
function filledSpec<K extends ObjectKind>(kind: K, spec: SpecByKind[K]): SpecByKind[K] {
  const type = fieldsOf(BODY_CLASSES[kind]).find(({ name }) => name === 'spec')?.type;
  return type ? (withDefaults(type(), spec) as SpecByKind[K]) : spec;
}

function withAnnotationsOfTools<K extends ObjectKind>(
  stored: StoredObject<K>,
  write: ObjectWrite<K>,
): ObjectWrite<K> {
  const kept = Object.entries(stored.annotations).filter(
    ([name]) => OF_TOOLS.test(name) || name === OrderAnnotation.Reconcile || name === OrderAnnotation.Suspend,
  );
  return { ...write, annotations: { ...Object.fromEntries(kept), ...write.annotations } };
}
