import type { DeploymentOwner, LedgerEntry, Reason } from '@symphony/model';
import {
  JobStore,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type Fence,
  type Heartbeat,
  type LaneOrder,
  type LaneView,
  type RunOutcome,
  type WakeHint,
} from '../../src/modules/queue/index.js';
import {
  Ledger,
  ProgressStore,
  type LedgerOutcome,
  type Progress,
} from '../../src/modules/reconcile/index.js';
import {
  DesiredStateReader,
  TargetHealth,
  type Snapshot,
  type SnapshotKey,
} from '../../src/modules/solution/index.js';
import { currentLogContext } from '../../src/modules/logging/index.js';
import type { Checker } from './checker.js';
import type { Soon } from './lane-keeper.js';
import type { Network } from './network.js';
import type { Tables } from './tables.js';
import type { Owner } from './virtual-time.js';

/** What the adapters of one engine process share. */
export interface PortContext {
  owner: Owner;
  network: Network;
  tables: Tables;
  checker: Checker;
  trace: (text: string) => void;
  /** Called after a commit that made work. */
  wake: (hint: WakeHint) => void;
}

abstract class NotSimulated extends JobStore {
  override orderInline(): Promise<string> {
    throw new Error('posted deployments are not simulated');
  }

  override find(): Promise<LaneView | undefined> {
    throw new Error('views are not simulated');
  }

  override list(): Promise<{ items: LaneView[] }> {
    throw new Error('views are not simulated');
  }

  override isDone(): Promise<boolean> {
    throw new Error('views are not simulated');
  }

  override suspend(): Promise<boolean> {
    throw new Error('suspensions are not simulated');
  }

  override retireOthers(): Promise<number> {
    throw new Error('a database of one engine is not simulated');
  }
}

/** Goes on at once with what is there at once. */
function soon<T, R>(value: Soon<T>, change: (value: T) => R): Soon<R> {
  return value instanceof Promise ? value.then((it) => change(it)) : change(value);
}

export class SimulatedJobStore extends NotSimulated {
  readonly #listeners = new Set<(hint: WakeHint) => void>();

  constructor(private readonly context: PortContext) {
    super();
  }

  #call<T>(what: string, transaction: () => Soon<T>): Promise<T> {
    return this.context.network.call(this.context.owner, what, transaction);
  }

  get #lanes() {
    return this.context.tables.lanes;
  }

  override async order(orders: readonly LaneOrder[]): Promise<void> {
    await this.#call('order', () => this.#lanes.order(orders, true));
    this.context.wake({ lanes: orders, fanOuts: false });
  }

  override register(worker: string, leaseMs: number): Promise<void> {
    return this.#call('register', () => this.#lanes.register(worker, leaseMs));
  }

  override claim(request: ClaimRequest): Promise<Claim[]> {
    return this.#call('claim', () => {
      return soon(this.#lanes.claim(request), (claims) => {
        for (const { name, kind, fence, cause, action } of claims)
          this.context.trace(`claims ${kind} ${name} epoch ${fence.epoch} (${action}, ${cause})`);
        return claims;
      });
    });
  }

  override heartbeat(worker: string, leaseMs: number): Promise<Heartbeat> {
    return this.#call('heartbeat', () => this.#lanes.heartbeat(worker, leaseMs));
  }

  override release(worker: string, fences: readonly Fence[]): Promise<void> {
    return this.#call('release', () => this.#lanes.release(worker, fences));
  }

  override complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const { tables, checker, trace } = this.context;
    return this.#call('complete', () => {
      const held = tables.lanes.holds(claim.fence);
      const completion = tables.lanes.complete(claim, outcome, () => {
        checker.written('complete', claim.fence, held);
        tables.writeOutcome(claim, outcome);
      });
      return soon(completion, (result) => {
        const code = result.fenced ? 'is refused' : `${outcome.result} (${outcome.reason.code})`;
        trace(`ends ${claim.kind} ${claim.name} epoch ${claim.fence.epoch}: ${code}`);
        return result;
      });
    });
  }

  override takeOver(graceMs: number): Promise<number> {
    return this.#call('takeOver', () => {
      return soon(this.#lanes.takeOver(graceMs), (lanes) => {
        this.context.checker.counts.takeovers += lanes;
        if (lanes > 0) this.context.trace(`takes ${lanes} lanes over`);
        return lanes;
      });
    });
  }

  override async retire(worker: string): Promise<void> {
    const freed = await this.#call('retire', () => this.#lanes.retire(worker));
    if (freed > 0) this.context.wake({ lanes: [], fanOuts: false });
  }

  override nextDueMs(capMs: number, periodic = true): Promise<number> {
    return this.#call('nextDueMs', () => this.#lanes.nextDueMs(capMs, periodic));
  }

  override async expandFanOuts(): Promise<boolean> {
    const expanded = await this.#call('expandFanOuts', () => this.#lanes.expandFanOuts());
    if (expanded) this.context.wake({ lanes: [], fanOuts: false });
    return expanded;
  }

  override onWake(listener: (hint: WakeHint) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A hint has come in. */
  deliver(hint: WakeHint): void {
    for (const listener of this.#listeners) listener(hint);
  }
}

export class SimulatedLedger extends Ledger {
  constructor(private readonly context: PortContext) {
    super();
  }

  override entriesOf(ownerUid: string): Promise<LedgerEntry[]> {
    const { network, owner, tables } = this.context;
    return network.call(owner, 'ledger.entriesOf', () => tables.ledgerOf(ownerUid));
  }

  override ownersOn(targetUid: string): Promise<{ total: number; owners: DeploymentOwner[] }> {
    const { network, owner, tables } = this.context;
    return network.call(owner, 'ledger.ownersOn', () => {
      const on = tables.ledger.filter((entry) => entry.targetUid === targetUid).map((entry) => entry.owner);
      const owners = [...new Map(on.map((item) => [item.uid, item])).values()];
      return { total: owners.length, owners };
    });
  }

  override begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    return this.#fenced('ledger.begin', fence, () => this.context.tables.begin(entries));
  }

  override async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    if (outcomes.length === 0) return;
    const orders = await this.#fenced('ledger.settle', fence, () => {
      const { gone, orders } = this.context.tables.settle(ownerUid, outcomes);
      this.context.checker.forgotten(gone);
      return orders;
    });
    if (orders.length > 0) this.context.wake({ lanes: orders, fanOuts: false });
  }

  /** Refuses what the fence does not allow. */
  assertFence(fence: Fence): void {
    this.context.tables.lanes.assertFence(fence);
  }

  #fenced<T>(what: string, fence: Fence, write: () => T): Promise<T> {
    const { network, owner, tables, checker } = this.context;
    return network.call(owner, what, () => {
      this.assertFence(fence);
      checker.written(what, fence, tables.lanes.holds(fence));
      return write();
    });
  }
}

export class SimulatedProgress extends ProgressStore {
  constructor(private readonly context: PortContext) {
    super();
  }

  override write(claim: Claim, { status }: Progress): Promise<void> {
    const { network, owner, tables, checker } = this.context;
    return network.call(owner, 'progress', () => {
      tables.lanes.assertFence(claim.fence);
      checker.written('progress', claim.fence, tables.lanes.holds(claim.fence));
      const object = tables.object(claim);
      if (object && status) object.status = { ...object.status, engine: status };
    });
  }
}

export class SimulatedReader extends DesiredStateReader {
  constructor(protected readonly context: PortContext) {
    super();
  }

  override read(key: SnapshotKey): Promise<Snapshot> {
    const { network, owner, tables, checker } = this.context;
    const { lane, epoch } = currentLogContext();
    return network.call(owner, 'read', () => {
      checker.read({ laneId: String(lane), epoch: Number(epoch) }, key);
      return tables.snapshot(key);
    });
  }

  override readInline(): Promise<Pick<Snapshot, 'ledger' | 'unhealthy'>> {
    throw new Error('posted deployments are not simulated');
  }
}

export class SimulatedHealth extends TargetHealth {
  constructor(private readonly context: PortContext) {
    super();
  }

  override failed(targetUid: string, reason: Reason): Promise<number | undefined> {
    const { network, owner, tables } = this.context;
    return network.call(owner, 'health.failed', () => tables.failed(targetUid, reason));
  }

  override recovered(targetUid: string): Promise<void> {
    const { network, owner, tables } = this.context;
    return network.call(owner, 'health.recovered', () => tables.recovered(targetUid));
  }

  override takeProbe(targetUid: string): Promise<boolean> {
    const { network, owner, tables } = this.context;
    return network.call(owner, 'health.takeProbe', () => tables.takeProbe(targetUid));
  }
}
