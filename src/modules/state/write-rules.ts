import {
  canonicalJson,
  ConflictError,
  mergeAnnotations,
  NotFoundError,
  type ObjectKind,
  PreconditionFailedError,
  type StoredObject,
  UnprocessableError,
} from '@symphony/model';
import type { ObjectKey, ObjectWrite, Precondition } from './object-store.js';

/** What a write makes of the user's half of an object. */
export interface WrittenHalf<K extends ObjectKind = ObjectKind> {
  spec: StoredObject<K>['spec'];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** The spec differs from the stored one: a new generation. */
  specChanged: boolean;
  /** Anything differs: a new version. */
  changed: boolean;
}

/**
 * Decides a write against what is stored, for every adapter alike.
 * @throws PreconditionFailedError, ConflictError, or whatever `write.check` throws
 */
export function decideWrite<K extends ObjectKind>(
  stored: StoredObject<K> | undefined,
  write: ObjectWrite<K>,
): WrittenHalf<K> {
  checkPrecondition(write, stored, write.precondition);
  if (!stored) {
    const { spec, labels, annotations } = write;
    return { spec, labels, annotations, specChanged: true, changed: true };
  }
  if (stored.deletionTimestamp) throw beingDeleted(write);
  write.check?.(stored);
  const annotations = mergeAnnotations(stored.annotations, write.annotations);
  const specChanged = !same(stored.spec, write.spec);
  const changed = specChanged || !same(stored.labels, write.labels) || !same(stored.annotations, annotations);
  return { spec: write.spec, labels: write.labels, annotations, specChanged, changed };
}

/** @throws PreconditionFailedError (412) for `If-Match` and `If-None-Match`, ConflictError (409) for `metadata.etag` */
export function checkPrecondition(
  key: ObjectKey,
  stored: StoredObject | undefined,
  precondition: Precondition,
): void {
  const { ifMatch, mustNotExist, etag } = precondition;
  if (mustNotExist && stored) {
    throw new PreconditionFailedError(
      `${describeKey(key)} exists already. Leave out If-None-Match to replace it.`,
      'AlreadyExists',
    );
  }
  if (ifMatch !== undefined && !matches(ifMatch, stored)) {
    throw new PreconditionFailedError(
      stored
        ? `${describeKey(key)} was changed by someone else: its version is ${stored.version}, not the one in If-Match. Read it again and repeat the change.`
        : `${describeKey(key)} does not exist, so If-Match cannot hold. Leave it out to create the object.`,
    );
  }
  // Without a stored version there is nothing to overwrite: what GET once returned can be posted to create it anew.
  if (etag !== undefined && stored && stored.version !== etag) {
    const message = `the stored version is ${stored.version}; read the object again and repeat the change, or leave out the etag`;
    throw new ConflictError(
      `${describeKey(key)} was changed by someone else: ${message}.`,
      'VersionConflict',
      [{ path: 'metadata.etag', message }],
    );
  }
}

function matches(ifMatch: string | readonly string[], stored: StoredObject | undefined): boolean {
  if (!stored) return false;
  if (ifMatch === '*') return true;
  return typeof ifMatch === 'string' ? ifMatch === stored.version : ifMatch.includes(stored.version);
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** For example `The instance "app" in namespace "default"`. */
function describeKey(key: ObjectKey): string {
  const kind = key.kind === 'SolutionContainer' ? 'solution container' : key.kind.toLowerCase();
  return `The ${kind} "${key.name}" in namespace "${key.namespace}"`;
}

export function notFound(key: ObjectKey): NotFoundError {
  return new NotFoundError(`${describeKey(key)} does not exist.`);
}

function beingDeleted(key: ObjectKey): ConflictError {
  return new ConflictError(
    `${describeKey(key)} is being deleted. Wait until it is gone, then create it anew.`,
    'ObjectDeleting',
  );
}

/** Reports are merged, so that without a limit an agent that invents names would fill the store. */
export const MAX_REPORTED_PROPERTIES = 1000;

export function tooManyProperties(): UnprocessableError {
  return new UnprocessableError(
    `A target keeps at most ${MAX_REPORTED_PROPERTIES} reported properties. Report under names that stay the same.`,
    'TooManyProperties',
  );
}
