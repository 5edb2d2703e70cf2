import { SymphonyError, UnavailableError } from '@symphony/model';

/** This process does not lead any more: what it does for that term ends, and its writes are fenced. */
export class LeadershipLostError extends UnavailableError {
  constructor(why: string) {
    super(`This process does not lead any more: ${why}.`, 'LeadershipLost');
  }
}

/** Another engine reconciles the same objects. Two would undo each other's work for ever. */
export class OtherEngineError extends SymphonyError {
  constructor(holder: string, namespace: string) {
    super(
      'OtherEngineLeads',
      409,
      `Eclipse Symphony's controller '${holder}' holds the Lease in the namespace '${namespace}' and reconciles the same objects: stop it first (scale its deployment to zero).`,
    );
  }
}
