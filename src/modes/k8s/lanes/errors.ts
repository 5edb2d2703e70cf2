import { UnavailableError } from '@symphony/model';

/** Only the leader has lanes. */
export function notLeading(): UnavailableError {
  return new UnavailableError(
    'This replica does not lead, and only the leader knows the orders. Ask again.',
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
