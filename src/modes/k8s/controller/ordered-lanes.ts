import { UnavailableError } from '@symphony/model';
import type { InlinePayload, LaneKey, LaneOrder, LaneQuery, LaneView } from '../../../modules/queue/index.js';
import { MemoryLanes, type KnownObject, type MemoryLanesOptions } from '../lanes/index.js';

/** Where posted deployments are kept; see `PostedRecords` and `PostedLanes`. */
export interface PostedOrders {
  accept(order: LaneOrder & { payload: InlinePayload }): Promise<string>;
  isDone(key: LaneKey, order: string): Promise<boolean>;
  /** This replica leads, with the lanes of its objects made. */
  begin(): void;
  end(): void;
  /** Resolves when the lanes have all that was posted before this term. */
  whenRead(): Promise<void>;
}

export interface OrderedLanesOptions extends MemoryLanesOptions {
  /** Writes an order onto its object, from where whoever leads takes it; see `OrderNotes`. */
  note(order: LaneOrder): Promise<void>;
  /** Writes onto an object whether it is suspended, and lets the watch's picture have it. @returns false when there is none */
  mark(key: LaneKey, suspended: boolean): Promise<boolean>;
  posted: PostedOrders;
  /** Whether this replica, when it leads, decides on what is in a namespace. */
  inReach(namespace: string): boolean;
}

/**
 * The lanes as the modules order them: what a person orders is written onto the object before it is acknowledged, and what is
 * posted into a record of its own, by any replica, and taken from there by the leader; what the engine orders for itself is known
 * to the leader only.
 */
export class OrderedLanes extends MemoryLanes {
  readonly #note: OrderedLanesOptions['note'];
  readonly #mark: OrderedLanesOptions['mark'];
  readonly #posted: PostedOrders;
  readonly #inReach: OrderedLanesOptions['inReach'];

  constructor(options: OrderedLanesOptions) {
    super(options);
    this.#note = (order) => options.note(order);
    this.#mark = (key, suspended) => options.mark(key, suspended);
    this.#posted = options.posted;
    this.#inReach = (namespace) => options.inReach(namespace);
  }

  override lead(term: number, objects: Iterable<KnownObject>, isLive?: () => boolean): void {
    super.lead(term, objects, isLive);
    this.#posted.begin();
  }

  override drop(): void {
    super.drop();
    this.#posted.end();
  }

  override async order(orders: readonly LaneOrder[]): Promise<void> {
    const ofPeople = orders.filter(({ cause }) => cause === 'person');
    for (const order of ofPeople) this.#assertInReach(order);
    await Promise.all(ofPeople.map((order) => this.#note(order)));
    const others = orders.filter(({ cause }) => cause !== 'person');
    if (others.length > 0) await super.order(others);
  }

  /** The lane follows its object, and nothing else: of two who order the opposite, the one who wrote last is obeyed. */
  override async suspend(key: LaneKey, suspended: boolean): Promise<boolean> {
    this.#assertInReach(key);
    return this.#mark(key, suspended);
  }

  /** Takes orders that stand on their objects. @throws UnavailableError on a replica that does not lead */
  take(orders: readonly LaneOrder[]): Promise<void> {
    return super.order(orders);
  }

  override async orderInline(order: LaneOrder & { payload: InlinePayload }): Promise<string> {
    this.#assertInReach(order);
    return this.#posted.accept(order);
  }

  override async isDone(key: LaneKey, order: string): Promise<boolean> {
    if (!(await this.#posted.isDone(key, order))) return false;
    // What a run has written may be seen before it has ended, and whoever is answered may ask for its state at once.
    return !this.leading || (await super.find(key))?.state !== 'running';
  }

  override async find(key: LaneKey): Promise<LaneView | undefined> {
    if (this.leading) await this.#posted.whenRead();
    return super.find(key);
  }

  override async list(query: LaneQuery): Promise<{ items: LaneView[]; next?: string }> {
    if (this.leading) await this.#posted.whenRead();
    return super.list(query);
  }

  /** Only the leader knows: what another replica writes down is carried out as soon as it can be. */
  #assertInReach({ namespace }: LaneKey): void {
    if (!this.leading || this.#inReach(namespace)) return;
    throw new UnavailableError(
      `The engine has not all of its rights in the namespace ${namespace}, and leaves alone what is in it: nothing was ordered. Give it its rights there, and try again a minute later.`,
      'NamespaceOutOfReach',
    );
  }
}
