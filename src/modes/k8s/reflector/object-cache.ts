import { compareVersions, type KubeObject, type ObjectRef } from '../client/index.js';
import { deepFreeze } from './deep-freeze.js';

/** Names one incarnation of an object: the same name with another uid is another object. */
export interface ObjectKey {
  readonly kind: string;
  readonly uid: string;
  /** Empty for objects without. */
  readonly namespace: string;
  readonly name: string;
}

/** Appeared (only `after`), changed (both) or went (only `before`). What was cached is shared and frozen. */
export interface Change<T extends KubeObject> {
  readonly key: ObjectKey;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** All objects of one type as of one moment. */
export interface ListedState<T extends KubeObject> {
  items: readonly T[];
  version: string | undefined;
  namespace?: string | undefined;
}

/** The values under which an object is found in an index; none to leave it out. Must be pure. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

/** Late events of an object that is gone come within one connection, so few have to be remembered. */
const MAX_TOMBSTONES = 1_000;

/**
 * The newest known state of the objects of one type, and the changes that lead to it. Level-triggered: a repeated or older
 * event changes nothing, an event that was missed shows with the next one. Objects go in frozen.
 */
export class ObjectCache<T extends KubeObject, I extends string = never> {
  readonly #byUid = new Map<string, T>();
  readonly #byName = new Map<string, T>();
  readonly #indexes: Map<I, Map<string, Map<string, T>>>;
  /** uid → version at which it went. */
  readonly #gone = new Map<string, string>();
  /** Namespace, or undefined for all → version of its last list. */
  readonly #listed = new Map<string | undefined, string>();

  constructor(
    private readonly kind: string,
    private readonly functions: Readonly<Record<I, IndexFunction<T>>>,
  ) {
    this.#indexes = new Map((Object.keys(functions) as I[]).map((name) => [name, new Map()]));
  }

  get size(): number {
    return this.#byUid.size;
  }

  get(ref: ObjectRef): T | undefined {
    return this.#byName.get(nameOf(ref));
  }

  byUid(uid: string): T | undefined {
    return this.#byUid.get(uid);
  }

  byIndex(index: I, value: string): T[] {
    return [...(this.#indexes.get(index)?.get(value)?.values() ?? [])];
  }

  /** All, or those of one namespace. */
  list(namespace?: string): T[] {
    const all = [...this.#byUid.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** Takes over a state that was seen. Nothing changes when a newer one, or the end, is known already. */
  put(object: T): Change<T>[] {
    const { uid, namespace, resourceVersion = '' } = object.metadata;
    if (uid === undefined) return [];
    // It was there when all was listed, or is gone.
    const listed = this.#listed.get(undefined) ?? this.#listed.get(namespace) ?? '';
    if (!this.#byUid.has(uid) && !isNewer(resourceVersion, listed)) return [];
    const end = this.#gone.get(uid);
    if (end !== undefined && !isNewer(resourceVersion, end)) return [];
    const before = this.get(object.metadata);
    if (before && !isNewer(resourceVersion, before.metadata.resourceVersion ?? '')) return [];
    return this.#store(object, before);
  }

  /** Takes over that an object has gone; `object` is its last state. */
  remove({ metadata: { uid, resourceVersion = '' } }: T): Change<T>[] {
    if (uid === undefined) return [];
    this.#bury(uid, resourceVersion);
    const before = this.#byUid.get(uid);
    return before ? [this.#drop(before)] : [];
  }

  /**
   * Takes over a whole list: what was cached and is not in it has gone, unseen. What is newer than the list stays as it is: this
   * process has written it since the list was made.
   * @param list.version as of which it is; undefined when what is newer does not exist any more, as in a restored backup
   * @param list.namespace that was listed; undefined for all
   */
  replace({ items, version, namespace }: ListedState<T>): Change<T>[] {
    if (version === undefined) {
      this.#gone.clear();
      this.#listed.clear();
    } else {
      this.#listed.set(namespace, version);
    }
    const listed = new Set(items.map(({ metadata }) => metadata.uid));
    const gone = this.list(namespace).filter(
      ({ metadata }) => !listed.has(metadata.uid) && !isLater(metadata.resourceVersion, version),
    );
    const changes = gone.map((object) => this.#drop(object));
    for (const item of items) {
      const { uid, resourceVersion } = item.metadata;
      if (uid === undefined || isLater(this.#gone.get(uid), version)) continue;
      // Where a cluster was put back, an object may be there again that had gone, or be older than it was.
      this.#gone.delete(uid);
      const before = this.get(item.metadata);
      const known = before?.metadata.resourceVersion;
      const isSame = before?.metadata.uid === uid && known === resourceVersion;
      if (!isSame && !isLater(known, version)) changes.push(...this.#store(item, before));
    }
    return changes;
  }

  /** All objects, as if they had just appeared. */
  appearances(): Change<T>[] {
    return this.list().map((after) => ({ key: this.#keyOf(after), before: undefined, after }));
  }

  #store(object: T, before: T | undefined): Change<T>[] {
    const changes: Change<T>[] = [];
    if (before && before.metadata.uid !== object.metadata.uid) {
      // Deleted and created again under the same name, and the deletion was not seen.
      changes.push(this.#drop(before));
      before = undefined;
    }
    if (before) this.#unindex(before);
    const after = deepFreeze(object);
    this.#byUid.set(after.metadata.uid ?? '', after);
    this.#byName.set(nameOf(after.metadata), after);
    this.#eachIndexed(after, (bucket, uid) => bucket.set(uid, after));
    changes.push({ key: this.#keyOf(after), before, after });
    return changes;
  }

  #drop(before: T): Change<T> {
    this.#unindex(before);
    this.#byUid.delete(before.metadata.uid ?? '');
    this.#byName.delete(nameOf(before.metadata));
    return { key: this.#keyOf(before), before, after: undefined };
  }

  #bury(uid: string, version: string): void {
    this.#gone.set(uid, version);
    if (this.#gone.size <= MAX_TOMBSTONES) return;
    for (const oldest of this.#gone.keys()) {
      this.#gone.delete(oldest);
      return;
    }
  }

  #unindex(object: T): void {
    this.#eachIndexed(object, (bucket, uid) => bucket.delete(uid));
  }

  #eachIndexed(object: T, use: (bucket: Map<string, T>, uid: string) => void): void {
    for (const [name, buckets] of this.#indexes) {
      for (const value of this.#valuesOf(name, object)) {
        const bucket = buckets.get(value) ?? new Map<string, T>();
        use(bucket, object.metadata.uid ?? '');
        if (bucket.size === 0) buckets.delete(value);
        else buckets.set(value, bucket);
      }
    }
  }

  /** An object that no schema guards any more may be of any shape: it is found by name, if not by this. */
  #valuesOf(name: I, object: T): readonly string[] {
    try {
      return this.functions[name](object);
    } catch {
      return [];
    }
  }

  #keyOf({ metadata: { uid = '', namespace = '', name } }: T): ObjectKey {
    return { kind: this.kind, uid, namespace, name };
  }
}

function nameOf({ namespace = '', name }: ObjectRef): string {
  return `${namespace}/${name}`;
}

/** What cannot be compared is taken as newer: events come in order, but for faults. */
function isNewer(version: string, than: string): boolean {
  return (compareVersions(version, than) ?? 1) > 0;
}

/** Only what can be compared is later. */
function isLater(version: string | undefined, than: string | undefined): boolean {
  return version !== undefined && than !== undefined && (compareVersions(version, than) ?? 0) > 0;
}
