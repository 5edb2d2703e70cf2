import {
  messageOf,
  type DeployableKind,
  type DeploymentOwner,
  type IntervalDefaults,
  type ObjectKind,
} from '@symphony/model';
import { FencedError, type LaneOrder } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { lineOf, type LedgerObject, type LedgerReflector } from '../ledger/ledger-object.js';
import type { KubernetesLedger } from '../ledger/kubernetes-ledger.js';
import { isRestored, type Reattachment } from '../ledger/reattach.js';
import type { Leadership, Term } from '../leadership/index.js';
import type { KnownObject } from '../lanes/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Finalizers } from '../objects/finalizers.js';
import { holdAgain } from '../release/hold-again.js';
import type { ObjectReflectors } from '../objects/object-reflectors.js';
import { isTerminating, NAMESPACE_TYPE } from '../objects/namespace-type.js';
import { unlessMissing } from '../objects/readable.js';
import { typeOf } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import type { MemoryTargetHealth } from '../runs/memory-target-health.js';
import { effectsOfChange } from './change-effects.js';
import { GiveUp } from './give-up.js';
import { isSuspended, knownObject } from './known-object.js';
import type { OrderedLanes } from './ordered-lanes.js';
import type { LateNamespace, OutOfReach, Reach } from './reach.js';

interface OperatorLog {
  log(message: object | string): void;
  warn(message: object | string): void;
}

export interface OperatorParts {
  client: ApiClient;
  objects: ObjectReflectors;
  ledgers: LedgerReflector;
  reattachment: Reattachment;
  lanes: OrderedLanes;
  ledger: KubernetesLedger;
  finalizers: Finalizers;
  health: MemoryTargetHealth;
  leadership: Leadership;
  reach: Reach;
  /** How often it is looked for what no event tells: rights that the engine gets, the end of a namespace. Default: {@link LOOK_MS}. */
  lookMs?: number;
  intervals: IntervalDefaults;
  log: OperatorLog;
  /** Told when the lanes of a term are made. */
  begun?: () => void;
}

const DEPLOYABLE = ['Target', 'Instance'] as const;
const FOLLOWED = [...DEPLOYABLE, 'Solution'] as const;
const RETRY_MS = 5_000;
const LOOK_MS = 30_000;

/**
 * Makes orders of what is seen in the cluster, while this replica leads. Level-triggered: at the beginning of a term the lanes
 * are made from the objects as they are, and from then on each difference orders what follows from it; events that were
 * missed, repeated or reordered change nothing of that.
 */
export class Operator {
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Owners by uid whose ledgers were restored before they were. */
  readonly #waiting = new Set<string>();
  #unsubscribe: (() => void)[] = [];
  /** The warning that was written last, not to be written again and again. */
  #warned = '';

  readonly #giveUp: GiveUp;

  constructor(private readonly parts: OperatorParts) {
    this.#giveUp = new GiveUp({
      ...parts,
      look: (kind, namespace, name) => this.#look(kind, namespace, name),
      untilDone: (work) => this.#untilDone(work),
    });
  }

  start(): void {
    const { objects, ledgers, leadership } = this.parts;
    this.#unsubscribe = [
      ...FOLLOWED.map((kind) => objects.of(kind).onChange((change) => this.#changed(kind, change))),
      ledgers.onChange(({ before, after }) => after && !before && this.#ledgerCame(after)),
      leadership.onChange((term) => (term ? void this.#begin(term) : this.#end())),
    ];
  }

  stop(): void {
    for (const end of this.#unsubscribe) end();
    this.#end();
  }

  async #begin(term: Term): Promise<void> {
    const { log, lanes, ledger, reach } = this.parts;
    while (term.isLive()) {
      try {
        const outside = await reach.survey(term.signal, (late) => this.#late(late));
        if (!term.isLive()) return;
        // In one go with the lanes: what changes from here on is ordered, and what changed before is in the caches.
        const known = this.#known();
        lanes.lead(term.epoch, known, () => term.isLive());
        log.log({ msg: 'This replica leads', epoch: term.epoch, objects: known.length });
        this.parts.begun?.();
        ledger.setInCharge(true);
        await this.#lookAgain(known);
        this.#beWithout(outside, term);
        for (const namespace of reach.namespaces) void this.#takeCharge(namespace, term);
        return;
      } catch (error) {
        if (!term.isLive()) return;
        this.#warn({ msg: 'The objects cannot be read yet', error: messageOf(error) });
        await new Promise((resolve) => this.#after(1_000, () => resolve(undefined)));
      }
    }
  }

  #end(): void {
    const { lanes, ledger, health } = this.parts;
    ledger.setInCharge(false);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#giveUp.clear();
    lanes.drop();
    health.clear();
  }

  #known(): KnownObject[] {
    const { intervals } = this.parts;
    return DEPLOYABLE.flatMap((kind) =>
      this.#all(kind).map((object) => knownObject(kind, object, intervals)),
    );
  }

  #all(kind: DeployableKind): CustomObject<DeployableKind>[] {
    const { objects, reach } = this.parts;
    return objects.all(kind).filter(({ metadata }) => reach.has(metadata.namespace));
  }

  /** A new term takes in what has come into reach: there is one way to begin, and it looks at everything. */
  #beWithout(outside: readonly OutOfReach[], term: Term): void {
    this.#warned = outside.length === 0 ? '' : this.#warned;
    if (outside.length === 0) return;
    this.#warn({
      msg: 'The engine has no rights in namespaces that it serves, and leaves them alone: give it its rights there, or take them out of kubernetes.namespaces',
      namespaces: outside.map(({ namespace }) => namespace),
      error: outside[0]?.error.message,
    });
    const { reach, leadership, lookMs = LOOK_MS } = this.parts;
    const look = async (): Promise<void> => {
      const namespace = await reach.gained(term.signal);
      if (!term.isLive()) return;
      if (namespace === undefined) this.#after(lookMs, () => void look());
      else leadership.beginAnew(`the engine has its rights in the namespace ${namespace} now`);
    };
    this.#after(lookMs, () => void look());
  }

  /** It is not begun without what a server fails to tell: that may be there, and run. */
  #late(namespaces: LateNamespace[]): void {
    this.#warn({
      msg: 'The objects of some namespaces cannot be read yet, and nothing is begun without them: see to the API server, or take them out of kubernetes.namespaces',
      namespaces: namespaces.map(({ namespace = 'all', problem = 'no answer yet' }) => ({
        namespace,
        problem,
      })),
    });
  }

  #warn(fields: object): void {
    const text = JSON.stringify(fields);
    if (text !== this.#warned) this.parts.log.warn(fields);
    this.#warned = text;
  }

  /**
   * What an instance depends on may have changed while nobody led. Where it did not, the run finds the same desired state and
   * calls no provider.
   */
  async #lookAgain(known: readonly KnownObject[]): Promise<void> {
    const { lanes } = this.parts;
    const orders = known
      .filter(({ kind, last }) => kind === 'Instance' && last !== undefined && last.result !== 'retry')
      .map(({ kind, namespace, name, generation }): LaneOrder => {
        return { kind, namespace, name, generation, action: 'update', cause: 'dependent' };
      });
    await lanes.take(orders);
    for (const kind of DEPLOYABLE) for (const object of this.#all(kind)) this.#giveUp.ifAsked(kind, object);
  }

  /** Each namespace and each owner by itself: what the server refuses of one is tried again, and holds no other up. */
  async #takeCharge(namespace: string | undefined, term: Term): Promise<void> {
    const { ledgers } = this.parts;
    const owners = new Map(ledgers.list(namespace).map(({ spec }) => [spec.owner.uid, spec.owner]));
    for (const owner of owners.values()) {
      if (!term.isLive()) return;
      await this.#tried(() => this.#findAbandoned(owner));
    }
    for (const ledger of ledgers.list(namespace)) {
      if (!term.isLive()) return;
      await this.#tried(() => this.#hold(ledger));
    }
  }

  /** Ledgers whose owner has gone without us: somebody took our finalizer off by hand. */
  async #findAbandoned(owner: DeploymentOwner): Promise<void> {
    const { kind, namespace, name, uid } = owner;
    if (kind === 'Inline' || this.parts.objects.of(kind).byUid(uid)) return;
    const object = await this.#stored(kind, namespace, name);
    if (object?.metadata.uid === uid) return;
    // What was made anew under the name gets what its predecessor left, by its next run.
    if (object) await this.#look(kind, namespace, name);
    else if (this.#isRestored(uid)) this.#waits(owner, kind);
    else await this.#abandon(kind, namespace, name, uid);
  }

  /** A ledger that appears is one of ours, or was restored: then it is held, and whose it is takes it over with a run. */
  #ledgerCame(ledger: LedgerObject): void {
    const { lanes, objects, reattachment, reach } = this.parts;
    const { owner } = ledger.spec;
    const { kind, namespace, name } = owner;
    if (!lanes.leading || kind === 'Inline' || !reach.has(ledger.metadata.namespace)) return;
    const uid = objects.get(kind, { namespace, name })?.metadata.uid;
    if (uid === undefined) {
      if (isRestored(ledger)) this.#waits(owner, kind);
    } else if (reattachment.straysOf({ kind, namespace, name, uid }).length > 0) {
      this.#untilDone(() => this.#look(kind, namespace, name));
    }
    this.#untilDone(() => this.#hold(ledger));
  }

  async #look(kind: DeployableKind, namespace: string, name: string): Promise<void> {
    const { generation = 1, deletionTimestamp } =
      this.parts.objects.get(kind, { namespace, name })?.metadata ?? {};
    const action = deletionTimestamp === undefined ? 'update' : 'delete';
    await this.parts.lanes.take([{ kind, namespace, name, generation, action, cause: 'retry' }]);
  }

  #waits(owner: DeploymentOwner, kind: DeployableKind): void {
    if (this.#waiting.has(owner.uid)) return;
    this.#waiting.add(owner.uid);
    const object = `${kind}/${owner.namespace}/${owner.name}`;
    this.parts.log.warn({ msg: 'A ledger was restored before its object, and waits for it', object });
    this.#lookWhether(owner, kind);
  }

  /** No event tells that a namespace is being deleted in which nothing else of ours is: nobody comes for the ledger then. */
  #lookWhether(owner: DeploymentOwner, kind: DeployableKind): void {
    const { namespace, name, uid } = owner;
    this.#after(this.parts.lookMs ?? LOOK_MS, () =>
      this.#untilDone(async () => {
        const { client, objects } = this.parts;
        const place = await unlessMissing(client.get(NAMESPACE_TYPE, { name: namespace }));
        if (!this.#isRestored(uid) || objects.get(kind, { namespace, name })) this.#waiting.delete(uid);
        else if (!place || !isTerminating(place)) this.#lookWhether(owner, kind);
        else await this.#abandon(kind, namespace, name, uid);
      }),
    );
  }

  #isRestored(ownerUid: string): boolean {
    return this.parts.ledgers.byIndex('owner', ownerUid).some(isRestored);
  }

  #stored(kind: DeployableKind, namespace: string, name: string): Promise<CustomObject | undefined> {
    return unlessMissing(
      this.parts.client.get<CustomObject>(typeOf<DeployableKind>(kind), { namespace, name }),
    );
  }

  #hold(ledger: LedgerObject): Promise<void> {
    const { client, finalizers, objects } = this.parts;
    const stands = (kind: DeployableKind, uid: string): boolean => objects.of(kind).byUid(uid) !== undefined;
    return holdAgain({ client, finalizers, stands }, ledger);
  }

  #changed<K extends (typeof FOLLOWED)[number]>(kind: K, change: Change<CustomObject<K>>): void {
    const { lanes, leadership, reach } = this.parts;
    if (!leadership.isLeader || !lanes.leading || !reach.has(change.key.namespace)) return;
    const { before, after } = change;
    const { orders, fanOuts } = effectsOfChange(kind, before, after);
    // Both are done at once; on a replica that has just ceased to lead the next one finds all of it by itself.
    if (orders.length > 0) lanes.take(orders).catch(() => undefined);
    if (fanOuts.length > 0) lanes.insertFanOuts(fanOuts);
    if (!isDeployable(kind)) return;
    if (!after) this.#gone(kind, before);
    else this.#stands(kind, before, after);
  }

  #stands(kind: DeployableKind, before: CustomObject | undefined, after: CustomObject): void {
    const { lanes } = this.parts;
    const key = { kind, namespace: after.metadata.namespace ?? '', name: after.metadata.name };
    const wasSuspended = before !== undefined && isSuspended(before);
    if (wasSuspended !== isSuspended(after)) lanes.setSuspended(key, isSuspended(after));
    if (before) this.#holdReplaced(kind, before, after);
    this.#giveUp.ifAsked(kind, after);
  }

  /**
   * Whoever replaces an object whole, as `kubectl replace` does, leaves our finalizer out without a wish to orphan anything. Whoever
   * takes it off by itself means it.
   */
  #holdReplaced(kind: DeployableKind, before: CustomObject, after: CustomObject): void {
    const { generation, deletionTimestamp, namespace, name, uid = '' } = after.metadata;
    if (generation === before.metadata.generation || deletionTimestamp !== undefined) return;
    const { ledger, finalizers } = this.parts;
    if (ledger.entriesAbout(uid).length === 0) return;
    this.#untilDone(async () => {
      try {
        await finalizers.add(kind, { namespace, name }, uid);
      } catch (error) {
        // It is going already.
        if (!(error instanceof FencedError)) throw error;
      }
    });
  }

  #gone(kind: DeployableKind, before: CustomObject | undefined): void {
    if (!before) return;
    const { namespace = '', name, uid = '' } = before.metadata;
    const { lanes, health, ledgers } = this.parts;
    if (kind === 'Target') health.forget(uid);
    // A successor of the same name is told of afterwards, and gets a lane of its own.
    lanes.forget({ kind, namespace, name });
    this.#giveUp.forget(uid);
    if (ledgers.byIndex('owner', uid).some(({ spec }) => (spec.entries ?? []).length > 0)) {
      this.#untilDone(async () => {
        // A picture may be wrong for a moment, as when a cluster is put back to an earlier state.
        const object = await this.#stored(kind, namespace, name);
        if (object?.metadata.uid !== uid) await this.#abandon(kind, namespace, name, uid);
      });
    }
  }

  /** The workloads stay; only what we know of them goes, since nobody can ask for their removal any more. */
  async #abandon(kind: DeployableKind, namespace: string, name: string, uid: string): Promise<void> {
    const left = await this.parts.ledger.releaseOwner(uid);
    this.parts.log.warn({
      msg: 'An object has gone before what was deployed for it was removed, which stays',
      object: `${kind}/${namespace}/${name}`,
      left: left.map(lineOf),
    });
  }

  /** Tries until it is done or the term is over. */
  #untilDone(work: () => Promise<void>): void {
    void this.#tried(work);
  }

  /** Resolves after the first attempt, however it went. Tried again only in the same term: the next one looks at everything anew. */
  async #tried(work: () => Promise<void>): Promise<void> {
    const { leadership } = this.parts;
    const { epoch } = leadership;
    try {
      await work();
    } catch (error) {
      if (epoch === undefined || leadership.epoch !== epoch) return;
      this.parts.log.warn({ msg: 'It is tried again', error: messageOf(error) });
      this.#after(RETRY_MS, () => this.#untilDone(work));
    }
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}

function isDeployable(kind: ObjectKind): kind is DeployableKind {
  return kind === 'Target' || kind === 'Instance';
}
