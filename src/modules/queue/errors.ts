import { SymphonyError } from '@symphony/model';

/** A durable write came from a run whose lane has a newer epoch. The run ends and writes nothing more. */
export class FencedError extends SymphonyError {
  constructor() {
    super('Fenced', 409, 'Another worker has taken over this lane; this run ends.');
  }
}

/** The worker's lease ended before it could be renewed. Its runs abort. */
export class LeaseLostError extends SymphonyError {
  constructor() {
    super('LeaseLost', 409, 'The lease of this worker has ended; its runs are aborted and taken over.');
  }
}
