import type { LaneOrder } from '../../../modules/queue/index.js';
import { MemoryLanes, type MemoryLanesOptions } from '../lanes/index.js';

export interface OrderedLanesOptions extends MemoryLanesOptions {
  /** Writes an order onto its object, from where whoever leads takes it. */
  note(order: LaneOrder): Promise<void>;
}

/**
 * The lanes as the modules order them: what a person orders is written onto the object before it is acknowledged, by any
 * replica, and taken from there by the leader; what the engine orders for itself is known to the leader only.
 */
export class OrderedLanes extends MemoryLanes {
  readonly #note: OrderedLanesOptions['note'];

  constructor(options: OrderedLanesOptions) {
    super(options);
    this.#note = (order) => options.note(order);
  }

  override async order(orders: readonly LaneOrder[]): Promise<void> {
    await Promise.all(orders.filter(({ cause }) => cause === 'person').map((order) => this.#note(order)));
    const others = orders.filter(({ cause }) => cause !== 'person');
    if (others.length > 0) await super.order(others);
  }

  /** Takes orders that stand on their objects. @throws UnavailableError on a replica that does not lead */
  take(orders: readonly LaneOrder[]): Promise<void> {
    return super.order(orders);
  }
}
