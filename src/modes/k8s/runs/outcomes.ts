import type { LedgerEntry } from '@symphony/model';
import { FencedError, type Claim, type RunOutcome } from '../../../modules/queue/index.js';
import { statusOf } from '../../../modules/reconcile/index.js';
import { finalizersOfOthers, type Finalizers } from '../objects/finalizers.js';
import { toStored, type CustomObject } from '../objects/custom-object.js';
import type { OutcomeWriter } from '../lanes/index.js';
import type { HandledOrders } from './handled-orders.js';
import type { RunLog } from './run-log.js';
import type { StatusChange, StatusWriter } from './status-writer.js';

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
  /** No progress of the object's run is written after this. */
  endProgress(uid: string): Promise<void>;
  /** Told of what was written; never waits. */
  tell(claim: Claim, object: CustomObject, outcome: RunOutcome, written: StatusChange | undefined): void;
}

/** Writes what runs leave behind onto their objects; removes our finalizer from what is removed. */
export function outcomeWriter(parts: OutcomeParts): OutcomeWriter {
  return async (claim, outcome, stop) => {
    const object = parts.objectOf(claim);
    const uid = object?.metadata.uid;
    if (uid !== undefined) await parts.endProgress(uid);
    const change = object && statusChangeOf(parts, claim, object, outcome);
    const ownerUid = outcome.record?.objectUid ?? uid;
    const tells = outcome.record !== undefined || outcome.summary !== undefined;
    if (ownerUid !== undefined && tells && (change || !isLook(claim, outcome))) {
      parts.log.add(claim, ownerUid, outcome);
    }
    if (!object || uid === undefined) return outcome.result === 'removed' && !claim.payload;
    if (outcome.record && outcome.record.objectUid !== uid) throw new FencedError();
    const wasLetGo = outcome.result === 'removed' && (await letGo(parts, claim, object, outcome, stop));
    if (change) await parts.status.write(claim, change, stop);
    // What the status leaves out has to be found somewhere, whoever leads.
    if (change?.cut && tells) void parts.log.write(uid);
    parts.orders.marked(uid);
    parts.tell(claim, object, outcome, change);
    return wasLetGo;
  };
}

/**
 * A periodic run that touched nothing. Where the stored status was cut, the run cannot know that it tells the same: that is seen
 * only when the stored documents are compared.
 */
function isLook({ cause }: Claim, { result, record }: RunOutcome): boolean {
  return cause === 'periodic' && result === 'succeeded' && (record?.steps.length ?? 0) === 0;
}

function statusChangeOf(
  { status, orders }: OutcomeParts,
  claim: Claim,
  object: CustomObject,
  outcome: RunOutcome,
): StatusChange | undefined {
  if (outcome.result === 'removed') return undefined;
  const engine = outcome.status ?? toStored(claim.kind, object).status.engine;
  if (!engine) return undefined;
  const handled = orders.handledBy(object.metadata.uid ?? '', outcome.result);
  return status.changeOf(claim, object, engine, {
    deploymentHash: outcome.result === 'succeeded' ? outcome.deploymentHash : undefined,
    orders: handled ?? object.status?.orders,
  });
}

/**
 * Whatever a run says: nothing goes that the ledger still names, as its owner or as the place where something is.
 * @returns whether our finalizer is off
 */
async function letGo(
  parts: OutcomeParts,
  claim: Claim,
  object: CustomObject,
  outcome: RunOutcome,
  stop: AbortSignal,
): Promise<boolean> {
  const { ledger, finalizers } = parts;
  const { kind, namespace, name } = claim;
  const { uid = '' } = object.metadata;
  const release = async (): Promise<void> => {
    await tellWhoKeeps(parts, claim, object, outcome, stop);
    await finalizers.remove(kind, { namespace, name }, uid);
  };
  if ((await ledger.entriesOf(uid)).length > 0) return false;
  // What is on its own target is no reason to keep it once the run has removed it.
  if (kind === 'Target') return ledger.releaseTarget(uid, release);
  await release();
  return true;
}

/** An object that others keep would say for as long that all is well. Before ours goes: with it, our rights may go. */
async function tellWhoKeeps(
  { status, orders }: OutcomeParts,
  claim: Claim,
  object: CustomObject,
  { result, record }: RunOutcome,
  stop: AbortSignal,
): Promise<void> {
  const others = finalizersOfOthers(claim.kind, object);
  if (others.length === 0) return;
  const { uid = '', generation = 1 } = object.metadata;
  const message = `Everything is removed. The object is kept by the finalizers of others: ${others.join(', ')}.`;
  const told = statusOf({
    generation,
    operationId: record?.id ?? '',
    word: 'Deleting',
    reason: { code: 'Deleting', message },
    previous: toStored(claim.kind, object).status.engine,
    now: new Date().toISOString(),
  });
  const handled = orders.handledBy(uid, result) ?? object.status?.orders;
  const change = status.changeOf(claim, object, told, { deploymentHash: undefined, orders: handled });
  try {
    if (change) await status.write(claim, change, stop);
  } catch (error) {
    // A server that is away will not take our finalizer off either; what else refuses a status must not keep the object.
    if (error instanceof FencedError || stop.aborted) throw error;
  }
}
