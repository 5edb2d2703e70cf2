import { SummaryState, type LedgerEntry } from '@symphony/model';
import { FencedError, type Claim, type RunOutcome } from '../../../modules/queue/index.js';
import { ProgressStore, type Progress } from '../../../modules/reconcile/index.js';
import type { Finalizers } from '../objects/finalizers.js';
import { toStored, type CustomObject } from '../objects/custom-object.js';
import type { OutcomeWriter } from '../lanes/index.js';
import type { HandledOrders } from './handled-orders.js';
import type { RunLog } from './run-log.js';
import type { StatusWriter } from './status-writer.js';

export interface OutcomeParts {
  /** The object of a claim as it was last seen. */
  objectOf(claim: Claim): CustomObject | undefined;
  status: StatusWriter;
  finalizers: Finalizers;
  orders: HandledOrders;
  log: RunLog;
  ledger: {
    entriesOf(ownerUid: string): Promise<LedgerEntry[]>;
    releaseTarget(targetUid: string, release: () => Promise<void>): Promise<boolean>;
  };
  /** @throws FencedError when the run has lost its lane */
  assertFence(claim: Claim): void;
}

/** Writes what runs leave behind onto their objects; removes our finalizer from what is removed. */
export function outcomeWriter(parts: OutcomeParts): OutcomeWriter {
  return async (claim, outcome, stop) => {
    const object = parts.objectOf(claim);
    const uid = object?.metadata.uid;
    const ownerUid = outcome.record?.objectUid ?? uid;
    if (ownerUid !== undefined && (outcome.record || outcome.summary)) {
      parts.log.add(claim, ownerUid, outcome);
    }
    if (!object || uid === undefined) return;
    if (outcome.record && outcome.record.objectUid !== uid) throw new FencedError();
    if (outcome.result === 'removed') await letGo(parts, claim, uid);
    else await writeStatus(parts, claim, object, outcome, stop);
  };
}

async function writeStatus(
  { status, orders }: OutcomeParts,
  claim: Claim,
  object: CustomObject,
  outcome: RunOutcome,
  stop: AbortSignal,
): Promise<void> {
  const uid = object.metadata.uid ?? '';
  const engine = outcome.status ?? toStored(claim.kind, object).status.engine;
  if (!engine) return;
  const handled = orders.handledBy(uid, outcome.result);
  const remembered = {
    epoch: claim.fence.epoch,
    deploymentHash: outcome.result === 'succeeded' ? outcome.deploymentHash : undefined,
    orders: handled ?? object.status?.orders,
  };
  await status.write(claim.kind, object, engine, remembered, stop);
}

/** Whatever a run says: nothing goes that the ledger still names, as its owner or as the place where something is. */
async function letGo({ ledger, finalizers }: OutcomeParts, claim: Claim, uid: string): Promise<void> {
  const { kind, namespace, name } = claim;
  const release = (): Promise<void> => finalizers.remove(kind, { namespace, name }, uid);
  const free = (await ledger.entriesOf(uid)).length === 0;
  if (kind !== 'Target') {
    if (free) await release();
    return;
  }
  // What is on its own target is no reason to keep it once the run has removed it.
  if (free) await ledger.releaseTarget(uid, release);
}

/** The progress of runs, on their objects and in the log of this process. */
export class KubernetesProgress extends ProgressStore {
  constructor(private readonly parts: OutcomeParts) {
    super();
  }

  override async write(claim: Claim, progress: Progress): Promise<void> {
    const { log, status } = this.parts;
    this.parts.assertFence(claim);
    const object = this.parts.objectOf(claim);
    const uid = object?.metadata.uid;
    if (!object || uid === undefined) return;
    const { summaryKey, generation, summary } = progress;
    log.add(
      claim,
      uid,
      { summary: { key: summaryKey, generation, deploymentHash: '', summary } },
      SummaryState.Running,
    );
    if (!progress.status) return;
    const { deploymentHash, orders } = { ...object.status };
    await status.write(claim.kind, object, progress.status, {
      epoch: claim.fence.epoch,
      deploymentHash,
      orders,
    });
  }
}
