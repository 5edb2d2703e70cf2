import {
  REASONS,
  retryOf,
  UnavailableError,
  type Reason,
  type ReasonCode,
  type StoredObject,
} from '@symphony/model';
import {
  MemoryLanes,
  MemoryWaker,
  type DependentsPage,
  type KnownObject,
} from '../../src/modes/k8s/lanes/index.js';
import {
  FencedError,
  type Claim,
  type ClaimRequest,
  type CompleteResult,
  type FanOut,
  type Fence,
  type Heartbeat,
  type LaneOrder,
  type RunOutcome,
} from '../../src/modules/queue/index.js';
import type { LaneKeeper } from './lane-keeper.js';
import { dependsOn, type OtherTables } from './lanes.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

const INTERVAL_MS = 60_000;
/** Few, so that fan-outs have several pages. */
const DEPENDENTS_PER_PAGE = 2;

/**
 * The lanes of Kubernetes mode, which all engine processes of the simulation share: it is about the lanes and their terms, not
 * about who leads. With a change of the leader all lanes are gone for some time, in which writes order nothing, and are then
 * made anew from the objects.
 */
export class MemoryKeeper implements LaneKeeper {
  readonly #lanes: MemoryLanes;
  readonly #writes = new Map<string, () => void>();
  #term = 0;
  #leads = false;
  /** Claims that held their lane when the last term ended. */
  #ended: ReadonlySet<string> = new Set();
  readonly #claims = new Map<string, Fence>();

  constructor(
    private readonly tables: OtherTables,
    random: Random,
    time: VirtualTime,
  ) {
    this.#lanes = new MemoryLanes({
      clock: { now: () => time.now, wallNow: () => Date.now() },
      waker: new MemoryWaker(),
      random: () => random.next(),
      exists: (key) => tables.object(key) !== undefined,
      write: (claim) => this.#write(claim, random),
      dependentsOf: (fanOut, after = '', limit) => Promise.resolve(this.#page(fanOut, after, limit)),
    });
    this.lead();
  }

  get leads(): boolean {
    return this.#leads;
  }

  /** As a leader does that has lost its Lease. */
  drop(): void {
    this.#ended = new Set([...this.#claims].filter(([, fence]) => this.holds(fence)).map(([text]) => text));
    this.#claims.clear();
    this.#leads = false;
    this.#lanes.drop();
  }

  /** As the next leader does. Nothing is known of what was written meanwhile, so all dependents are looked at. */
  lead(): void {
    const { tables } = this;
    const objects = [...tables.list('Instance'), ...tables.list('Target')];
    this.#leads = true;
    this.#ended = new Set();
    this.#lanes.lead(++this.#term, objects.map(knownObject));
    const written = [...tables.list('Solution'), ...tables.list('Target')];
    this.insertFanOuts(
      written.map(({ kind, namespace, name, uid, spec }): FanOut => {
        const properties = 'properties' in spec ? spec.properties : undefined;
        return {
          kind: kind === 'Solution' ? 'Solution' : 'Target',
          namespace,
          name,
          uid,
          ...(properties ? { propertiesAfter: properties } : {}),
        };
      }),
    );
  }

  order(orders: readonly LaneOrder[], unlocked: boolean): Promise<void> {
    const done = this.#lanes.order(orders);
    // What is ordered by a write while nobody leads is found by the next leader.
    return unlocked ? done : done.catch(ignoreAbsence);
  }

  insertFanOuts(fanOuts: readonly FanOut[]): void {
    if (this.#leads) this.#lanes.insertFanOuts(fanOuts);
  }

  expandFanOuts(): Promise<boolean> {
    return this.#lanes.expandFanOuts(DEPENDENTS_PER_PAGE);
  }

  register(worker: string, leaseMs: number): Promise<void> {
    return this.#lanes.register(worker, leaseMs);
  }

  async claim(request: ClaimRequest): Promise<Claim[]> {
    const claims = await this.#lanes.claim(request);
    for (const { fence } of claims) this.#claims.set(fenceText(fence), fence);
    return claims;
  }

  heartbeat(worker: string, leaseMs: number): Promise<Heartbeat> {
    return this.#lanes.heartbeat(worker, leaseMs);
  }

  release(worker: string, fences: readonly Fence[]): Promise<void> {
    return this.#lanes.release(worker, fences);
  }

  takeOver(graceMs: number): Promise<number> {
    return this.#lanes.takeOver(graceMs);
  }

  async retire(worker: string): Promise<number> {
    await this.#lanes.retire(worker);
    return 1;
  }

  complete(claim: Claim, outcome: RunOutcome, write: () => void): Promise<CompleteResult> {
    this.#writes.set(fenceText(claim.fence), write);
    // Without anything to write it is the lane alone that changes.
    return this.#lanes.complete(claim, outcome);
  }

  nextDueMs(capMs: number, periodic: boolean): Promise<number> {
    return this.#lanes.nextDueMs(capMs, periodic);
  }

  holds(fence: Fence): boolean {
    try {
      this.assertFence(fence);
      return true;
    } catch (error) {
      if (error instanceof FencedError) return false;
      throw error;
    }
  }

  mayAct(fence: Fence): boolean {
    return this.holds(fence) || this.#ended.has(fenceText(fence));
  }

  assertFence(fence: Fence): void {
    this.#lanes.assertFence(fence);
  }

  async overview(): ReturnType<LaneKeeper['overview']> {
    if (!this.#leads) return { lanes: [], fanOuts: 1 };
    const { items } = await this.#lanes.list({ limit: 10_000 });
    return {
      lanes: items.map(({ kind, namespace, name, doneSeq, orderSeq }) => {
        return { kind, namespace, name, done: doneSeq === orderSeq };
      }),
      fanOuts: this.#lanes.figures().fanOuts,
    };
  }

  /** The API server: answers well, or is away. */
  #write(claim: Claim, random: Random): Promise<boolean> {
    if (random.chance(0.02)) return Promise.reject(new UnavailableError('The API server is away.'));
    const key = fenceText(claim.fence);
    this.#writes.get(key)?.();
    this.#writes.delete(key);
    return Promise.resolve(false);
  }

  #page(
    { kind, namespace, name, uid, properties }: Parameters<typeof dependsOn>[2] & { namespace: string },
    after: string,
    limit: number,
  ): DependentsPage {
    const instances = this.tables
      .list('Instance')
      .filter((instance) => instance.namespace === namespace && instance.name > after)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const page = instances.slice(0, limit);
    const items = page.filter((instance) =>
      dependsOn(this.tables, instance, { kind, name, uid, properties }),
    );
    const last = page.at(-1);
    return { items, ...(last && page.length < instances.length ? { next: last.name } : {}) };
  }
}

function knownObject(object: StoredObject<'Instance' | 'Target'>): KnownObject {
  const { kind, namespace, name, generation, deletionTimestamp } = object;
  const last = lastOf(object);
  return {
    kind,
    namespace,
    name,
    generation,
    action: deletionTimestamp ? 'delete' : 'update',
    intervalMs: INTERVAL_MS,
    ...(last ? { last } : {}),
  };
}

/** What its status tells; nothing while a run was under way, or of an older generation. */
function lastOf({ generation, status, deletionTimestamp }: StoredObject): KnownObject['last'] {
  const { engine } = status;
  if (!engine || engine.observedGeneration !== generation || deletionTimestamp) return undefined;
  const reason: Reason = { code: isReason(engine.reason) ? engine.reason : 'InternalError', message: '' };
  if (engine.status === 'Succeeded') return { result: 'succeeded', reason };
  if (engine.status !== 'Failed') return undefined;
  return { result: retryOf(reason.code) === 'backoff' ? 'retry' : 'waiting', reason };
}

function isReason(code: string | undefined): code is ReasonCode {
  return code !== undefined && Object.hasOwn(REASONS, code);
}

function fenceText({ laneId, epoch }: Fence): string {
  return `${laneId} ${epoch}`;
}

function ignoreAbsence(error: unknown): void {
  if (!(error instanceof UnavailableError)) throw error;
}
