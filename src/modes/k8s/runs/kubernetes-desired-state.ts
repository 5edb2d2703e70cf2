import {
  candidatesOf,
  type DeployableKind,
  type DeploymentOwner,
  type InstanceSpec,
  type LedgerEntry,
  type ObjectKind,
  type StoredObject,
} from '@symphony/model';
import type { Fence } from '../../../modules/queue/index.js';
import {
  DesiredStateReader,
  type Snapshot,
  type SnapshotKey,
  type UnhealthyTarget,
} from '../../../modules/solution/index.js';
import { referencesOf } from '../../../modules/state/index.js';
import type { ApiClient } from '../client/index.js';
import { toStored, typeOf, type CustomObject } from '../objects/custom-object.js';
import { unlessMissing, unreadable } from '../objects/readable.js';

export interface DesiredStateSources {
  client: Pick<ApiClient, 'get'>;
  /** The targets as they were last seen. */
  targets: {
    list(namespace?: string): CustomObject<'Target'>[];
    byUid(uid: string): CustomObject<'Target'> | undefined;
  };
  ledger: { entriesOf(ownerUid: string): Promise<LedgerEntry[]> };
  /** Gives an owner the ledgers that were restored for it. @throws FencedError when the run is over */
  attach(owner: DeploymentOwner, fence: Fence): Promise<void>;
  unhealthy(targetUids: readonly string[]): UnhealthyTarget[];
  /** Told of the object that a run is for. */
  onRead(object: CustomObject): void;
}

/**
 * Reads what a run is decided from. The object, its solution and the targets that it names are read live; what selects its
 * targets takes them from the cache, which only ever goes forward. A target that the ledger knows and the cache does not is
 * read as well: "not seen" is not "not there".
 */
export class KubernetesDesiredState extends DesiredStateReader {
  constructor(private readonly sources: DesiredStateSources) {
    super();
  }

  override async read(key: SnapshotKey): Promise<Snapshot> {
    const custom = await this.#get(key.kind, key.namespace, key.name);
    if (!custom) return { targets: [], ledger: [], unhealthy: [] };
    this.sources.onRead(custom);
    const object = toStored(key.kind, custom);
    const { kind, namespace, name, fence } = key;
    if (fence) await this.sources.attach({ kind, namespace, name, uid: object.uid }, fence);
    const ledger = await this.#entriesOf(object);
    if (object.kind === 'Target') {
      const target = object as StoredObject<'Target'>;
      return this.#snapshot(target, undefined, [target], ledger, unreadable(target));
    }
    const instance = object as StoredObject<'Instance'>;
    // What cannot be read says nothing of what it wants; removing what it has needs only the ledger.
    const invalid = unreadable(instance);
    const [solution, targets] = await Promise.all([
      invalid ? undefined : this.#solutionOf(instance),
      this.#targetsOf(invalid ? { ...instance, spec: { solution: '' } } : instance, ledger),
    ]);
    const known = new Set(ledger.map(({ targetUid }) => targetUid));
    const named = new Set(candidatesOf(invalid ? '' : (instance.spec.target?.name ?? '')));
    const wrong = targets.map((target) => ({ target, error: unreadable(target) }));
    const concerned = wrong.find(
      ({ target, error }) => error && (known.has(target.uid) || named.has(target.name)),
    );
    return this.#snapshot(
      instance,
      solution,
      wrong.filter(({ error }) => !error || invalid || concerned).map(({ target }) => target),
      ledger,
      invalid ?? (solution && unreadable(solution)) ?? concerned?.error,
    );
  }

  /**
   * What was restored for a target that is not there yet waits for it: only a removal of everything takes it away, by what the
   * ledger says.
   */
  async #entriesOf({
    kind,
    uid,
    spec,
    deletionTimestamp,
  }: StoredObject<DeployableKind>): Promise<LedgerEntry[]> {
    const entries = await this.sources.ledger.entriesOf(uid);
    const inactive = kind === 'Instance' && (spec as InstanceSpec).activeState === 'inactive';
    if (deletionTimestamp !== undefined || inactive) return entries;
    const { targets } = this.sources;
    return entries.filter(
      ({ knownAs, targetUid }) => knownAs?.target !== targetUid || targets.byUid(targetUid) !== undefined,
    );
  }

  override async readInline(
    ownerUid: string,
    targetUids: readonly string[],
  ): Promise<Pick<Snapshot, 'ledger' | 'unhealthy'>> {
    const ledger = await this.sources.ledger.entriesOf(ownerUid);
    const uids = [...targetUids, ...ledger.map(({ targetUid }) => targetUid)];
    return { ledger, unhealthy: this.sources.unhealthy([...new Set(uids)]) };
  }

  #snapshot(
    object: NonNullable<Snapshot['object']>,
    solution: StoredObject<'Solution'> | undefined,
    targets: StoredObject<'Target'>[],
    ledger: LedgerEntry[],
    invalid: Snapshot['invalid'],
  ): Snapshot {
    const uids = [...targets.map(({ uid }) => uid), ...ledger.map(({ targetUid }) => targetUid)];
    return {
      object,
      ...(solution ? { solution } : {}),
      ...(invalid ? { invalid } : {}),
      targets,
      ledger,
      unhealthy: this.sources.unhealthy([...new Set(uids)]),
    };
  }

  async #solutionOf({
    namespace,
    spec,
  }: StoredObject<'Instance'>): Promise<StoredObject<'Solution'> | undefined> {
    for (const name of candidatesOf(spec.solution)) {
      const solution = await this.#live('Solution', namespace, name);
      if (solution) return solution;
    }
    return undefined;
  }

  async #targetsOf(
    { namespace, spec }: StoredObject<'Instance'>,
    ledger: readonly LedgerEntry[],
  ): Promise<StoredObject<'Target'>[]> {
    const { dynamic } = referencesOf('Instance', spec);
    const found = new Map<string, StoredObject<'Target'>>();
    const add = (target: StoredObject<'Target'> | undefined): void => {
      if (target) found.set(target.uid, target);
    };
    if (dynamic) {
      for (const target of this.sources.targets.list(namespace)) add(toStored('Target', target));
    } else {
      const names = candidatesOf(spec.target?.name ?? '').filter((name) => name !== '');
      for (const target of await Promise.all(names.map((name) => this.#live('Target', namespace, name)))) {
        add(target);
      }
    }
    const missing = new Map(
      ledger
        .filter(({ targetUid }) => !found.has(targetUid))
        .map(({ targetUid, targetName }) => [targetUid, targetName]),
    );
    const others = [...missing].map(async ([uid, name]) => {
      const target = await this.#live('Target', namespace, name);
      // Another target may have the name by now.
      if (target?.uid === uid) add(target);
    });
    await Promise.all(others);
    return [...found.values()];
  }

  async #live<K extends ObjectKind>(
    kind: K,
    namespace: string,
    name: string,
  ): Promise<StoredObject<K> | undefined> {
    const object = await this.#get(kind, namespace, name);
    return object && toStored(kind, object);
  }

  async #get<K extends ObjectKind>(
    kind: K,
    namespace: string,
    name: string,
  ): Promise<CustomObject<K> | undefined> {
    // Specs may name what no object can be called.
    if (!isObjectName(name)) return undefined;
    return unlessMissing(this.sources.client.get(typeOf(kind), { namespace, name }));
  }
}

function isObjectName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && name.length <= 253;
}
