import { ConflictError, type DeployableKind } from '@symphony/model';
import { FencedError } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { LEDGER_FINALIZER, LEDGER_TYPE, type LedgerObject } from '../ledger/ledger-object.js';
import type { Finalizers } from '../objects/finalizers.js';
import { unlessMissing } from '../objects/readable.js';

export interface HoldAgainParts {
  client: Pick<ApiClient, 'patch'>;
  finalizers: Pick<Finalizers, 'add'>;
  stands: (kind: DeployableKind, uid: string) => boolean;
}

/**
 * Takes hold of what another installation has let go (`releaseCluster`): what is deployed for an object must not be forgotten
 * because nobody was there when the object was let go. Where the finalizers are still on, no request is made.
 */
export async function holdAgain(
  { client, finalizers, stands }: HoldAgainParts,
  { metadata, spec }: LedgerObject,
): Promise<void> {
  const { kind, namespace, name, uid } = spec.owner;
  if ((spec.entries ?? []).length === 0 || metadata.deletionTimestamp !== undefined) return;
  try {
    if (kind !== 'Inline' && stands(kind, uid)) await finalizers.add(kind, { namespace, name }, uid);
    if (metadata.finalizers?.includes(LEDGER_FINALIZER)) return;
    const { resourceVersion } = metadata;
    const body = {
      metadata: { resourceVersion, finalizers: [...(metadata.finalizers ?? []), LEDGER_FINALIZER] },
    };
    const ref = { namespace: metadata.namespace, name: metadata.name };
    await unlessMissing(client.patch(LEDGER_TYPE, ref, { kind: 'merge', body }));
  } catch (error) {
    // The object is going, or a run has just written the ledger: whoever does that puts it right.
    if (!(error instanceof FencedError || error instanceof ConflictError)) throw error;
  }
}
