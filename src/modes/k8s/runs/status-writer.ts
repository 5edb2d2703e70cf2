import { InvalidInputError, type DeployableKind, type ObjectStatus } from '@symphony/model';
import { FencedError, type Claim } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { isSuspended } from '../controller/known-object.js';
import type { ResourceStatus } from '../crds/index.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import type { StatusEdits } from './status-edits.js';
import { statusChange, statusDocument } from './status-document.js';

export interface StatusWriterOptions {
  client: Pick<ApiClient, 'patch'>;
  /** Takes over the answer of a write, so that the next one is compared with it. */
  seen(kind: DeployableKind, object: CustomObject<DeployableKind>): void;
  /** Told of our own writes, since it looks for those of others. */
  edits: Pick<StatusEdits, 'ours'>;
  /** The server has refused a write of that epoch, because a later one stands there. Not waited for. */
  refused(kind: DeployableKind, object: CustomObject, epoch: number): void;
}

/** What a run adds to a status beside what every mode shows. */
export interface Addition extends Pick<ResourceStatus, 'orders' | 'progress'> {
  deploymentHash: string | undefined;
}

/** A write that has something to tell. */
export interface StatusChange {
  object: CustomObject;
  patch: Record<string, unknown>;
  /** It does not say all. */
  cut: boolean;
  /** The one before did. */
  cutNow: boolean;
}

/** Writes the engine's half of a status, as far as it differs from what was last seen. */
export class StatusWriter {
  constructor(private readonly options: StatusWriterOptions) {}

  /** Undefined when the stored status tells the same. */
  changeOf(
    claim: Claim,
    object: CustomObject,
    status: ObjectStatus,
    { deploymentHash, orders, progress }: Addition,
  ): StatusChange | undefined {
    const stored = object.status ?? {};
    const document = statusDocument(status, {
      epoch: claim.fence.epoch,
      deploymentHash,
      orders,
      ...(progress ? { progress } : {}),
      ...beginnings(claim, object, status),
      ...(isSuspended(object) ? { suspended: true } : {}),
    });
    const patch = statusChange(stored, document);
    const cut = document.truncated === true;
    return patch && { object, patch, cut, cutNow: cut && stored.truncated !== true };
  }

  /**
   * @throws FencedError when a newer leader has written already: the run is over, and never reads again to try once more;
   * NotFoundError, ConflictError when the object is another one by now
   */
  async write(claim: Claim, { object, patch }: StatusChange, signal?: AbortSignal): Promise<void> {
    const { kind } = claim;
    const { uid, name, namespace = '' } = object.metadata;
    const body = { metadata: { uid }, status: patch };
    try {
      await this.options.edits.ours(
        uid ?? '',
        () =>
          this.options.client.patch(
            typeOf<DeployableKind>(kind),
            { name, namespace },
            { kind: 'merge', body },
            { subresource: 'status', repeatable: true, signal },
          ),
        (written) => this.options.seen(kind, written),
      );
    } catch (error) {
      if (!isEpochRefusal(error)) throw error;
      this.options.refused(kind, object, claim.fence.epoch);
      const fenced = new FencedError();
      fenced.cause = error;
      throw fenced;
    }
  }
}

/** When what the status speaks of began. What was stored without stays so: it is nothing to write a status for. */
function beginnings(
  { claimedAt }: Claim,
  { metadata, status = {} }: CustomObject,
  { observedGeneration }: ObjectStatus,
): Pick<ResourceStatus, 'startedAt' | 'deleteStartedAt'> {
  const startedAt = status.observedGeneration === observedGeneration ? status.startedAt : claimedAt;
  const deleting = metadata.deletionTimestamp !== undefined;
  return {
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(deleting ? { deleteStartedAt: status.deleteStartedAt ?? claimedAt } : {}),
  };
}

/** The rule of the schema, not some other field that is wrong. */
function isEpochRefusal(error: unknown): boolean {
  return error instanceof InvalidInputError && error.problems.some(({ path }) => /\bepoch$/.test(path));
}
