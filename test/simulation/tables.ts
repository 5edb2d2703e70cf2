import {
  ledgerKeyText,
  type LedgerEntry,
  type ObjectKind,
  type Reason,
  type StoredObject,
} from '@symphony/model';
import { TargetGoneError, type LedgerOutcome } from '../../src/modules/reconcile/index.js';
import type { Snapshot, UnhealthyTarget } from '../../src/modules/solution/index.js';
import {
  decideWrite,
  effectsOfWrite,
  notFound,
  type ObjectKey,
  type ObjectWrite,
  type WriteEffects,
} from '../../src/modules/state/index.js';
import type { Claim, LaneOrder, RunOutcome } from '../../src/modules/queue/index.js';
import type { LaneKeeper } from './lane-keeper.js';
import { Lanes, type OtherTables } from './lanes.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

interface Breaker {
  failures: number;
  openUntil: number | undefined;
  probing: boolean;
  reason: Reason;
}

const BREAKER = { readFailures: 3, firstMs: 2_000, maxMs: 60_000, probeShareMs: 30_000 };

/** One database: what all engine processes share. Every method is one transaction, with the meaning of standalone mode. */
export class Tables {
  readonly lanes: LaneKeeper;
  readonly #objects = new Map<string, StoredObject>();
  readonly #ledger = new Map<string, LedgerEntry>();
  readonly #breakers = new Map<string, Breaker>();
  /** The server's clock is off by this; it jumps. */
  clockOffsetMs = 0;
  #uids = 0;

  constructor(
    private readonly time: VirtualTime,
    random: Random,
    keep: (tables: OtherTables, random: Random) => LaneKeeper = (tables, chance) => new Lanes(tables, chance),
  ) {
    this.lanes = keep(this, random);
  }

  /** The server's clock, in milliseconds. */
  get now(): number {
    return 1_000_000 + this.time.now + this.clockOffsetMs;
  }

  object<K extends ObjectKind>({ kind, namespace, name }: ObjectKey<K>): StoredObject<K> | undefined {
    return this.#objects.get(`${kind}/${namespace}/${name}`) as StoredObject<K> | undefined;
  }

  list<K extends ObjectKind>(kind: K): StoredObject<K>[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind) as StoredObject<K>[];
  }

  /** Creates or replaces, and orders what follows. @returns what was ordered */
  put<K extends ObjectKind>(write: ObjectWrite<K>): WriteEffects {
    const before = this.object(write);
    const half = decideWrite(before, write);
    const { kind, namespace, name } = write;
    const after: StoredObject<K> = {
      kind,
      namespace,
      name,
      uid: before?.uid ?? `${kind.toLowerCase()}-${++this.#uids}`,
      generation: (before?.generation ?? 0) + (half.specChanged ? 1 : 0),
      version: half.changed ? `v${++this.#uids}` : (before?.version ?? ''),
      labels: half.labels,
      annotations: half.annotations,
      spec: half.spec,
      status: before?.status ?? {},
      createdAt: before?.createdAt ?? new Date(this.now).toISOString(),
    };
    this.#objects.set(`${kind}/${namespace}/${name}`, after);
    return this.#order(before, after);
  }

  /** Marks a deployable object, removes any other. @throws NotFoundError */
  requestDeletion(key: ObjectKey): WriteEffects {
    const before = this.object(key);
    if (!before) throw notFound(key);
    if (key.kind === 'Solution') {
      this.#objects.delete(`${key.kind}/${key.namespace}/${key.name}`);
      return this.#order(before, undefined);
    }
    if (before.deletionTimestamp) return this.#order(before, before);
    const after: StoredObject = {
      ...before,
      generation: before.generation + 1,
      version: `v${++this.#uids}`,
      deletionTimestamp: new Date(this.now).toISOString(),
    };
    this.#objects.set(`${key.kind}/${key.namespace}/${key.name}`, after);
    return this.#order(before, after);
  }

  #order(before: StoredObject | undefined, after: StoredObject | undefined): WriteEffects {
    const effects = effectsOfWrite(before, after, 'somebody');
    void this.lanes.order(effects.orders, false);
    this.lanes.insertFanOuts(effects.fanOuts);
    return effects;
  }

  /** What a run leaves behind beside its lane. */
  writeOutcome(claim: Claim, { result, status }: RunOutcome): void {
    const object = this.object(claim);
    if (!object) return;
    if (result === 'removed') {
      const named = this.ledger.some(
        (entry) => entry.owner.uid === object.uid || entry.targetUid === object.uid,
      );
      if (!object.deletionTimestamp || named) return;
      this.#objects.delete(`${claim.kind}/${claim.namespace}/${claim.name}`);
      this.#breakers.delete(object.uid);
    } else if (status) {
      object.status = { ...object.status, engine: status };
    }
  }

  snapshot(key: ObjectKey<'Instance' | 'Target'>): Snapshot {
    const object = this.object(key);
    if (!object) return { targets: [], ledger: [], unhealthy: [] };
    const ledger = this.ledgerOf(object.uid);
    const inLedger = new Set(ledger.map((entry) => entry.targetUid));
    const targets = object.kind === 'Target' ? [object as StoredObject<'Target'>] : this.list('Target');
    const concerned = new Set([...targets.map((target) => target.uid), ...inLedger]);
    const solution =
      object.kind === 'Instance'
        ? this.object({
            kind: 'Solution',
            namespace: key.namespace,
            name: (object as StoredObject<'Instance'>).spec.solution,
          })
        : undefined;
    return structuredClone({
      object,
      ...(solution ? { solution } : {}),
      targets,
      ledger,
      unhealthy: [...concerned].flatMap((uid) => this.#unhealthy(uid)),
    });
  }

  #unhealthy(targetUid: string): UnhealthyTarget[] {
    const breaker = this.#breakers.get(targetUid);
    if (!breaker) return [];
    const retryMs = Math.max(0, (breaker.openUntil ?? 0) - this.now);
    return [{ targetUid, reason: breaker.reason, open: breaker.openUntil !== undefined, retryMs }];
  }

  failed(targetUid: string, reason: Reason): number | undefined {
    const breaker: Breaker = this.#breakers.get(targetUid) ?? {
      failures: 0,
      openUntil: undefined,
      probing: false,
      reason,
    };
    const threshold = reason.code === 'ProviderTimeout' ? 1 : BREAKER.readFailures;
    if (!((breaker.openUntil ?? 0) > this.now && !breaker.probing)) {
      breaker.failures++;
      const waitMs = Math.min(
        BREAKER.maxMs,
        BREAKER.firstMs * 2 ** Math.max(0, breaker.failures - threshold),
      );
      const opens = breaker.openUntil !== undefined || breaker.failures >= threshold;
      breaker.openUntil = opens ? this.now + waitMs : undefined;
    }
    breaker.reason = reason;
    breaker.probing = false;
    this.#breakers.set(targetUid, breaker);
    return breaker.openUntil === undefined ? undefined : breaker.openUntil - this.now;
  }

  recovered(targetUid: string): void {
    this.#breakers.delete(targetUid);
  }

  takeProbe(targetUid: string): boolean {
    const breaker = this.#breakers.get(targetUid);
    if (!breaker || (breaker.openUntil ?? 0) > this.now) return false;
    breaker.openUntil = this.now + BREAKER.probeShareMs;
    breaker.probing = true;
    return true;
  }

  get ledger(): LedgerEntry[] {
    return [...this.#ledger.values()];
  }

  ledgerOf(ownerUid: string): LedgerEntry[] {
    return this.ledger.filter((entry) => entry.owner.uid === ownerUid).map((entry) => structuredClone(entry));
  }

  /** @throws TargetGoneError when something would be put where there is no target any more */
  begin(entries: readonly LedgerEntry[]): void {
    const there = new Set(this.list('Target').map((target) => target.uid));
    if (entries.some(({ state, targetUid }) => state === 'intent' && !there.has(targetUid)))
      throw new TargetGoneError();
    for (const entry of entries) {
      const key = entry.owner.uid + ledgerKeyText(entry);
      const known = this.#ledger.get(key);
      if (known) Object.assign(known, { state: entry.state, generation: entry.generation });
      else this.#ledger.set(key, structuredClone(entry));
    }
  }

  /** @returns the entries that are gone, and the orders of targets that waited for that */
  settle(ownerUid: string, outcomes: readonly LedgerOutcome[]): { gone: LedgerEntry[]; orders: LaneOrder[] } {
    const gone: LedgerEntry[] = [];
    for (const outcome of outcomes) {
      const key = ownerUid + ledgerKeyText(outcome.key);
      const entry = this.#ledger.get(key);
      if (!entry) continue;
      if (outcome.kind === 'pending') continue;
      if (outcome.kind === 'removed') {
        this.#ledger.delete(key);
        gone.push(entry);
      } else {
        const { applied, digest, generation } = outcome;
        Object.assign(entry, { state: 'applied', applied, digest, generation });
      }
    }
    const left = new Set(gone.map((entry) => entry.targetUid));
    left.delete(ownerUid);
    const orders = this.list('Target')
      .filter((target) => target.deletionTimestamp && left.has(target.uid))
      .map(({ kind, namespace, name, generation }): LaneOrder => {
        return { kind, namespace, name, generation, action: 'delete', cause: 'dependent' };
      });
    void this.lanes.order(orders, false);
    return { gone, orders };
  }
}
