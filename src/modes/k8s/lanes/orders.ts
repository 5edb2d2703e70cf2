import { CAUSES, type LaneOrder } from '../../../modules/queue/index.js';
import { epochOf, type Lane } from './lane.js';

const PERIODIC = CAUSES.indexOf('periodic');

/**
 * Folds an order into a lane that is on no shelf. The rules are those of the SQL in standalone mode (orders.ts).
 * @param seq the number of the order
 */
export function fold(lane: Lane, order: LaneOrder, seq: number, now: number): void {
  const cause = CAUSES.indexOf(order.cause);
  const alone = lane.dueAt === undefined;
  const dueAt = now + Math.max(0, order.delayMs ?? 0);
  if (!alone && lane.cause === PERIODIC) lane.lookAt = lane.dueAt;
  if (alone || lane.orderSeq === lane.claimedSeq) lane.orderedAt = now;
  if (alone || cause <= lane.cause) lane.actor = order.actor;
  lane.cause = alone ? cause : Math.min(lane.cause, cause);
  // The newest order of a posted deployment is what counts: its orders are numbered by their sender.
  lane.generation = lane.inline ? order.generation : Math.max(lane.generation, order.generation);
  lane.deleting = order.action === 'delete' || (!lane.inline && lane.deleting);
  lane.inline = order.payload !== undefined;
  lane.dueAt = Math.min(lane.dueAt ?? dueAt, dueAt);
  lane.attempts = 0;
  lane.orderSeq = seq;
}

/** A claim covers all that was ordered, with an epoch that no claim of the lane had before. */
export function cover(lane: Lane, term: number, now: number): void {
  lane.epoch = epochOf(term, ++lane.claims);
  lane.claimedSeq = lane.orderSeq;
  lane.claimedAt = now;
  if (lane.cause === PERIODIC) lane.lookAt = undefined;
  lane.dueAt = undefined;
}
