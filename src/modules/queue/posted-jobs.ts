import { ConflictError, InvalidInputError } from '@symphony/model';
import type { LaneKey } from './lanes.js';

/**
 * Symphony's rule for the ids of posted deployments: only when both are given must the new one be a number that is not lower.
 * @throws InvalidInputError
 */
export function refuseOlderJob(before: string, after: string): void {
  if (before === '' || after === '') return;
  const path = 'jobID';
  if (!/^-?\d+$/.test(after)) {
    const message = 'must be a decimal number';
    throw new InvalidInputError(`The job id ${JSON.stringify(after)} ${message}.`, [{ path, message }]);
  }
  if (!/^-?\d+$/.test(before) || BigInt(after) >= BigInt(before)) return;
  const message = `must be ${before} or greater, the newest that was accepted`;
  throw new InvalidInputError(`The job id ${after} is older than one before: it ${message}.`, [
    { path, message },
  ]);
}

/** A posted deployment has the lane that an instance would get, or something deployed that only it can remove. */
export function postedDeploymentExists({
  namespace,
  name,
}: Pick<LaneKey, 'namespace' | 'name'>): ConflictError {
  return new ConflictError(
    `A posted deployment has the name ${name} in namespace ${namespace}, so no instance can be stored under it. Remove that ` +
      'first (POST /v1alpha2/solution/reconcile?delete=true), or choose another name.',
    'PostedDeploymentExists',
  );
}

/** A stored object has the lane that a posted deployment wants. */
export function storedObjectExists({ kind, namespace, name }: LaneKey): ConflictError {
  return new ConflictError(
    `The ${kind.toLowerCase()} ${name} is stored in namespace ${namespace}, so it cannot be ` +
      'deployed by a posted deployment. Change the stored object, or post under another name.',
    'StoredObjectExists',
  );
}
