import { UnavailableError } from '@symphony/model';

/** Only the leader has lanes, and makes them at the beginning of its term. */
export function notLeading(): UnavailableError {
  return new UnavailableError(
    'Only the leader knows the orders, and this replica does not lead, or has just begun to. Ask again.',
    'NotLeader',
  );
}

/** The order was given under a leadership that has ended since; nobody knows any more whether it ran. */
export function orderForgotten(): UnavailableError {
  return new UnavailableError(
    'The leader changed while the order waited or ran, so that its outcome is not known. Post it again.',
    'LeaderChanged',
  );
}
