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
import type { ObjectRef, SharedReads } from '../client/index.js';
import { isAdopted, tracesOfOthers } from '../controller/traces.js';
import { NAMESPACE_TYPE } from '../objects/namespace-type.js';
import { toStored, typeOf, type CustomObject } from '../objects/custom-object.js';
import { unlessMissing, unreadable } from '../objects/readable.js';

export interface DesiredStateSources {
  client: Pick<SharedReads, 'get'>;
  /** An object as it was last seen. */
  seen<K extends ObjectKind>(kind: K, ref: ObjectRef): CustomObject<K> | undefined;
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

/** How an object is read: live, or as it was last seen. Undefined for one that is not there. */
type Look = <K extends ObjectKind>(
  kind: K,
  namespace: string,
  name: string,
) => Promise<CustomObject<K> | undefined>;

/**
 * Reads what a run is decided from. The object, its solution, the targets that it names and those that its ledger knows are
 * read live; what selects its targets takes further ones from the cache, which only ever goes forward, and may be late.
 */
export class KubernetesDesiredState extends DesiredStateReader {
  constructor(private readonly sources: DesiredStateSources) {
    super();
  }

  override async read(key: SnapshotKey): Promise<Snapshot> {
    const { kind, namespace, name, fence } = key;
    const custom = await this.#live(kind, namespace, name);
    if (!custom) return { targets: [], ledger: [], unhealthy: [] };
    // Whoever only asks what a run would do carries nothing out.
    if (fence) this.sources.onRead(custom);
    const object = toStored(kind, custom);
    if (fence) await this.sources.attach({ kind, namespace, name, uid: object.uid }, fence);
    const entries = await this.#entriesOf(object);
    const unadopted = await this.#unadopted(kind, custom);
    const snapshot = await this.#around(object, entries, this.#live);
    return unadopted === undefined ? snapshot : { ...snapshot, unadopted };
  }

  /** What shows that the object is somebody else's; undefined for what is ours, or was adopted. */
  async #unadopted(kind: DeployableKind, custom: CustomObject): Promise<string | undefined> {
    const { uid = '', namespace, annotations, deletionTimestamp } = custom.metadata;
    if ((await this.sources.ledger.entriesOf(uid)).length > 0) return undefined;
    const traces = tracesOfOthers(kind, custom);
    if (traces.length === 0) return undefined;
    // Nobody knows what is there: taken over now, all of it would be left behind without a word.
    if (deletionTimestamp !== undefined) return traces.join(', ');
    if (isAdopted(annotations)) return undefined;
    const place = await unlessMissing(this.sources.client.get(NAMESPACE_TYPE, { name: namespace ?? '' }));
    return isAdopted(place?.metadata.annotations) ? undefined : traces.join(', ');
  }

  /** From the caches. An owner without ledger may have one that was restored for it: who runs has to look. */
  override async readKnown({ kind, namespace, name }: SnapshotKey): Promise<Snapshot | undefined> {
    const custom = this.sources.seen(kind, { namespace, name });
    if (!custom) return undefined;
    const object = toStored(kind, custom);
    const ledger = await this.#entriesOf(object);
    return ledger.length === 0 ? undefined : this.#around(object, ledger, this.#known);
  }

  /** What else a run for an object is decided from. */
  async #around(object: StoredObject<DeployableKind>, ledger: LedgerEntry[], look: Look): Promise<Snapshot> {
    if (object.kind === 'Target') {
      const target = object as StoredObject<'Target'>;
      return this.#snapshot(target, undefined, [target], ledger, unreadable(target));
    }
    const instance = object as StoredObject<'Instance'>;
    // What cannot be read says nothing of what it wants; removing what it has needs only the ledger.
    const invalid = unreadable(instance);
    const [solution, targets] = await Promise.all([
      invalid ? undefined : solutionOf(instance, look),
      this.#targetsOf(invalid ? { ...instance, spec: { solution: '' } } : instance, ledger, look),
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

  async #targetsOf(
    { namespace, spec }: StoredObject<'Instance'>,
    ledger: readonly LedgerEntry[],
    look: Look,
  ): Promise<StoredObject<'Target'>[]> {
    const { dynamic } = referencesOf('Instance', spec);
    const found = new Map<string, StoredObject<'Target'>>();
    const add = (target: StoredObject<'Target'> | undefined): void => {
      if (target) found.set(target.uid, target);
    };
    if (dynamic) {
      // What is on one of them goes when it does not match any more: that is not decided on what was.
      const held = new Set(ledger.map(({ targetUid }) => targetUid));
      for (const target of this.sources.targets.list(namespace)) {
        if (!held.has(target.metadata.uid ?? '')) add(toStored('Target', target));
      }
    } else {
      const names = candidatesOf(spec.target?.name ?? '').filter((name) => name !== '');
      for (const target of await Promise.all(names.map((name) => look('Target', namespace, name)))) {
        add(target && toStored('Target', target));
      }
    }
    const missing = new Map(
      ledger
        .filter(({ targetUid }) => !found.has(targetUid))
        .map(({ targetUid, targetName }) => [targetUid, targetName]),
    );
    const others = [...missing].map(async ([uid, name]) => {
      const target = await look('Target', namespace, name);
      // Another target may have the name by now.
      if (target?.metadata.uid === uid) add(toStored('Target', target));
    });
    await Promise.all(others);
    return [...found.values()];
  }

  readonly #known: Look = (kind, namespace, name) =>
    Promise.resolve(this.sources.seen(kind, { namespace, name }));

  readonly #live: Look = async (kind, namespace, name) => {
    // Specs may name what no object can be called.
    if (!isObjectName(name)) return undefined;
    return unlessMissing(this.sources.client.get(typeOf(kind), { namespace, name }));
  };
}

async function solutionOf(
  { namespace, spec }: StoredObject<'Instance'>,
  look: Look,
): Promise<StoredObject<'Solution'> | undefined> {
  for (const name of candidatesOf(spec.solution)) {
    const solution = await look('Solution', namespace, name);
    if (solution) return toStored('Solution', solution);
  }
  return undefined;
}

function isObjectName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && name.length <= 253;
}
