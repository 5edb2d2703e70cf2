import {
  instanceNameOf,
  Annotation,
  TARGET_RUNTIME_PREFIX,
  type RemovalLimit,
  type StoredObject,
} from '@symphony/model';
import {
  generateForInstance,
  generateForTarget,
  generateInline,
  type ConstraintCheck,
} from '@symphony/planning';
import type { Claim, InlinePayload, RunControl } from '../queue/index.js';
import type { DesiredStateReader, PlanRequest, Snapshot } from '../solution/index.js';
import { ledgerHolds } from './ledger-holds.js';
import type { LateRemoval } from './late-removal.js';

/** What one run works on: a stored object, or a posted deployment. */
export interface Subject {
  /** Undefined for a posted deployment. */
  object?: StoredObject<'Instance' | 'Target'>;
  removal: boolean;
  jobId: string;
  /** Decimal text, echoed in the summary. */
  generation: string;
  ownerUid: string;
  summaryKey: string;
  lastHash?: string;
  request: PlanRequest;
  snapshot: Pick<Snapshot, 'ledger' | 'unhealthy' | 'targets' | 'unadopted'>;
  /** True once a progress write may have changed the stored status. */
  progressShown: () => boolean;
  /** By when its removal is to have ended; set with the object, where that is being deleted. */
  limit?: RemovalLimit;
  /** Set as soon as it has not. */
  late?: LateRemoval;
  /** Until what was reported to have failed is asked for anew. Milliseconds. */
  reportRetryMs?: number;
}

/**
 * What is new is not to wait for a target that does not answer: it goes to the others, and a retry then gives that one the
 * time that a call may take.
 */
const PATIENCE_MS = 3_000;

function patienceOf({ cause, attempts }: Claim): { patienceMs?: number } {
  const isNew = attempts === 0 && (cause === 'person' || cause === 'dependent');
  return isNew ? { patienceMs: PATIENCE_MS } : {};
}

/** Reads a stored object and frames the request for its plan. @returns undefined when the object is gone. */
export async function storedSubject(
  reader: DesiredStateReader,
  claim: Claim,
  control: RunControl,
): Promise<Subject | undefined> {
  return subjectOf(await reader.read(claim), claim, control);
}

/** The same from what is known without asking anybody; undefined when that is not known. */
export async function knownSubject(
  reader: DesiredStateReader,
  claim: Claim,
  control: RunControl,
): Promise<Subject | undefined> {
  const snapshot = await reader.readKnown(claim);
  return snapshot && subjectOf(snapshot, claim, control);
}

function subjectOf(snapshot: Snapshot, claim: Claim, control: RunControl): Subject | undefined {
  const { object, solution, targets } = snapshot;
  if (!object) return undefined;
  const jobId = claim.seq;
  const forced = forcedTargets(targets, claim);
  const generate = (constraint: ConstraintCheck) => {
    // What is to be removed is in the ledger, whatever became of the specs.
    if (snapshot.invalid && !object.deletionTimestamp) throw snapshot.invalid;
    return isKind(object, 'Instance')
      ? generateForInstance({ instance: object, solution, targets, jobId, constraint })
      : generateForTarget({ target: object as StoredObject<'Target'>, jobId, constraint });
  };
  return {
    object,
    removal: object.deletionTimestamp !== undefined || isInactive(object),
    jobId,
    generation: String(object.generation),
    ownerUid: object.uid,
    summaryKey: summaryKeyOf(object),
    ...(claim.lastHash === undefined ? {} : { lastHash: claim.lastHash }),
    snapshot,
    progressShown: () => false,
    request: {
      namespace: claim.namespace,
      generate,
      ledger: snapshot.ledger,
      unhealthy: snapshot.unhealthy,
      targets,
      deletingTargets: deletingTargets(targets),
      forceRedeploy: forced,
      readOnly: false,
      stop: control.stop,
      cancel: control.superseded,
      waitsFor: control.waitsFor,
      ...patienceOf(claim),
      // Something that it depends on was written: only a different desired state is worth a look at the targets.
      skipWhen: (deployment) =>
        claim.cause === 'dependent' &&
        claim.lastHash === deployment.hash &&
        ledgerHolds(deployment, snapshot.ledger) &&
        snapshot.unhealthy.length === 0 &&
        !object.deletionTimestamp &&
        !deployment.targets.some((target) => forced.has(target.uid)),
    },
  };
}

export async function inlineSubject(
  reader: DesiredStateReader,
  claim: Claim,
  payload: InlinePayload,
  control: RunControl,
): Promise<Subject> {
  const generate = () =>
    generateInline({
      wire: payload.deployment,
      namespace: claim.namespace,
      removal: claim.action === 'delete',
      ...(payload.activeTarget === undefined ? {} : { activeTarget: payload.activeTarget }),
    });
  // It was checked when it was posted; generating it here names its owner and the targets to read.
  const deployment = generate();
  const { targets, owner } = deployment;
  const state = await reader.readInline(
    owner.uid,
    targets.map((target) => target.uid),
  );
  const forced = targets.filter((target) => target.spec.forceRedeploy).map((target) => target.uid);
  return {
    removal: deployment.removal,
    jobId: deployment.jobId,
    generation: deployment.generation,
    ownerUid: owner.uid,
    summaryKey: inlineSummaryKey(deployment.instance.metadata, instanceNameOf(owner)),
    snapshot: { ...state, targets: [] },
    progressShown: () => false,
    request: {
      namespace: claim.namespace,
      generate,
      ...state,
      targets,
      deletingTargets: new Set(),
      forceRedeploy: new Set(forced),
      readOnly: false,
      stop: control.stop,
      cancel: control.superseded,
      waitsFor: control.waitsFor,
    },
  };
}

/** Symphony's key of a summary: the instance name, with the guid of its annotation where there is one. */
export function summaryKeyOf(object: StoredObject): string {
  const name = object.kind === 'Target' ? `${TARGET_RUNTIME_PREFIX}${object.name}` : object.name;
  const guid = object.annotations[Annotation.Guid];
  return guid ? `${name}-${guid}` : name;
}

export function inlineSummaryKey(metadata: Record<string, unknown>, name: string): string {
  const { annotations } = metadata;
  const hasThem = typeof annotations === 'object' && annotations !== null;
  const guid = hasThem ? (annotations as Record<string, unknown>)[Annotation.Guid] : undefined;
  return typeof guid === 'string' && guid !== '' ? `${name}-${guid}` : name;
}

function isKind<K extends 'Instance' | 'Target'>(object: StoredObject, kind: K): object is StoredObject<K> {
  return object.kind === kind;
}

function isInactive(object: StoredObject): boolean {
  return isKind(object, 'Instance') && object.spec.activeState === 'inactive';
}

function deletingTargets(targets: readonly StoredObject<'Target'>[]): ReadonlySet<string> {
  return new Set(targets.filter((target) => target.deletionTimestamp).map((target) => target.uid));
}

/** `forceRedeploy` asks for one more application per order, not for one at every periodic look. */
function forcedTargets(targets: readonly StoredObject<'Target'>[], claim: Claim): ReadonlySet<string> {
  if (claim.cause !== 'person' && claim.cause !== 'dependent') return new Set();
  return new Set(targets.filter((target) => target.spec.forceRedeploy === true).map((target) => target.uid));
}
