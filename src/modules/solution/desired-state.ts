import type { DeployableKind, LedgerEntry, Reason, StoredObject } from '@symphony/model';
import type { DeploymentError } from '@symphony/planning';
import type { Fence } from '../queue/index.js';

/** A target that failed lately. While `open`, it is left alone for `retryMs`; then one probe may touch it. */
export interface UnhealthyTarget {
  targetUid: string;
  reason: Reason;
  open: boolean;
  retryMs: number;
  /** For how long the probe has been due. */
  overdueMs?: number;
}

/** Everything that one run is decided from, read at one point in time. */
export interface Snapshot {
  object?: StoredObject<DeployableKind>;
  /** The solution that the instance names; undefined when there is none. */
  solution?: StoredObject<'Solution'>;
  /** Of the namespace: for an instance those that could match or are in its ledger, for a target itself. */
  targets: StoredObject<'Target'>[];
  /** All entries of this owner. */
  ledger: LedgerEntry[];
  unhealthy: UnhealthyTarget[];
  /** One of these objects cannot be read as it is stored, so that nothing can be decided from it. */
  invalid?: DeploymentError;
  /** Somebody else has deployed the object, and nobody has said that it is ours now: what shows it, in words. */
  unadopted?: string;
}

export interface SnapshotKey {
  kind: DeployableKind;
  namespace: string;
  name: string;
  /** Of the run that reads; left out by whoever only looks. */
  fence?: Fence;
}

/**
 * Reads what a run needs as of one instant. It answers completely or rejects: an object that could not be read never
 * looks like one that is not there.
 */
export abstract class DesiredStateReader {
  abstract read(key: SnapshotKey): Promise<Snapshot>;
  /**
   * What is known without asking anybody, which may be a little old: enough to see that there is nothing to do, never to do
   * something. Undefined when that is not known.
   */
  readKnown(_key: SnapshotKey): Promise<Snapshot | undefined> {
    return Promise.resolve(undefined);
  }
  /** The same for a posted deployment, which has no stored object: only its ledger. */
  abstract readInline(
    ownerUid: string,
    targetUids: readonly string[],
  ): Promise<Pick<Snapshot, 'ledger' | 'unhealthy'>>;
}
