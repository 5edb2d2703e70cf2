import { Injectable } from '@nestjs/common';
import {
  Annotation,
  NotFoundError,
  SummaryState,
  TARGET_RUNTIME_PREFIX,
  type DeployableKind,
  type StoredObject,
  type SummaryResult,
  type SummarySpec,
} from '@symphony/model';
import { generateInline } from '@symphony/planning';
import { effectsOfWrite, ObjectStore } from '../state/index.js';
import { JobStore } from './job-store.js';
import type { LaneView } from './lanes.js';
import { addressesOf, withoutGuid, type QueueSubject } from './queue-subject.js';
import { SummaryStore } from './summary-store.js';

export interface PostedDeployment {
  namespace?: string;
  body: unknown;
  removal: boolean;
  activeTarget?: string;
  actor?: string;
}

const NOTHING_YET: SummarySpec = {
  targetCount: 0,
  successCount: 0,
  plannedDeployment: 0,
  currentDeployed: 0,
  skipped: false,
  isRemoval: false,
  allAssignedDeployed: false,
  removed: false,
};

/** Symphony's view of the queue: orders, and the outcome of the newest run. */
@Injectable()
export class SolutionQueueService {
  constructor(
    private readonly objects: ObjectStore,
    private readonly jobs: JobStore,
    private readonly summaries: SummaryStore,
  ) {}

  /**
   * The summary of the newest run, with `state` telling whether a newer order waits or runs.
   * @param fallback Symphony's `name=`: looked up when there is nothing under `instance`
   * @throws NotFoundError when neither a summary nor an object nor a lane is there
   */
  async summary(subject: QueueSubject, fallback?: string): Promise<SummaryResult> {
    const { object, lane } = await this.#find(subject, fallback);
    const stored = await this.#storedSummary(subject, fallback, object);
    if (!stored && !object && !lane) throw notFound(subject);
    const result = stored ?? nothingYet(object, lane);
    return { ...result, state: stateOf(lane, stored?.state) };
  }

  /** Orders a run of a stored object now. @throws NotFoundError */
  async reconcile(subject: QueueSubject, actor?: string): Promise<void> {
    const object = await this.#object(subject);
    const { kind, namespace, name, generation, deletionTimestamp } = object;
    const action = deletionTimestamp ? 'delete' : 'update';
    await this.jobs.order([{ kind, namespace, name, generation, action, cause: 'person', actor }]);
  }

  /** The same as DELETE of the object. @throws NotFoundError */
  async remove(subject: QueueSubject, actor?: string): Promise<void> {
    const { kind, namespace, name } = await this.#object(subject);
    await this.objects.requestDeletion({ kind, namespace, name }, {}, (before, after) =>
      effectsOfWrite(before, after, actor),
    );
  }

  /**
   * Orders a posted deployment and does not wait for it.
   * @throws InvalidInputError, ConflictError (a stored instance has that name)
   */
  async deploy({ body, namespace, removal, activeTarget, actor }: PostedDeployment): Promise<void> {
    const deployment = generateInline({ wire: body, removal, namespace, activeTarget });
    const { owner, jobId } = deployment;
    const generation = Number(deployment.generation);
    await this.jobs.orderInline({
      kind: 'Instance',
      namespace: owner.namespace,
      name: owner.name,
      generation: Number.isSafeInteger(generation) && generation >= 0 ? generation : 0,
      action: removal ? 'delete' : 'update',
      cause: 'person',
      actor,
      payload: { deployment: body, jobId, activeTarget },
    });
  }

  /** Marks the summary as removed. @throws NotFoundError */
  async forget(subject: QueueSubject): Promise<void> {
    const { object } = await this.#find(subject);
    for (const key of summaryKeys(subject, undefined, object)) {
      if (await this.summaries.softDelete(subject.namespace, key)) return;
    }
    throw notFound(subject);
  }

  async #object(subject: QueueSubject): Promise<StoredObject<DeployableKind>> {
    const { object } = await this.#find(subject);
    if (!object) throw notFound(subject);
    return object;
  }

  async #find(
    subject: QueueSubject,
    fallback?: string,
  ): Promise<{ object?: StoredObject<DeployableKind>; lane?: LaneView }> {
    for (const address of addressesOf(subject, fallback)) {
      const [object, lane] = await Promise.all([this.objects.get(address), this.jobs.find(address)]);
      if (object || lane) return { object, lane };
    }
    return {};
  }

  async #storedSummary(
    subject: QueueSubject,
    fallback: string | undefined,
    object: StoredObject | undefined,
  ): Promise<SummaryResult | undefined> {
    for (const key of summaryKeys(subject, fallback, object)) {
      const found = await this.summaries.get(subject.namespace, key);
      if (found) return found;
    }
    return undefined;
  }
}

function summaryKeys(
  { instance, target }: QueueSubject,
  fallback: string | undefined,
  object: StoredObject | undefined,
): string[] {
  const keys = [instance, ...(fallback ? [fallback] : []), ...withoutGuid(instance)];
  if (object) {
    const base = object.kind === 'Target' ? `${TARGET_RUNTIME_PREFIX}${object.name}` : object.name;
    const guid = object.annotations[Annotation.Guid];
    keys.push(...(guid ? [`${base}-${guid}`] : []), base);
  }
  // A target's name alone is no key: an instance may have the same.
  const usable = target ? keys.filter((key) => key.startsWith(TARGET_RUNTIME_PREFIX)) : keys;
  return [...new Set(usable)];
}

function stateOf(lane: LaneView | undefined, stored: SummaryState | undefined): SummaryState {
  if (lane?.state === 'running') return SummaryState.Running;
  if (lane && BigInt(lane.orderSeq) > BigInt(lane.doneSeq)) return SummaryState.Pending;
  // What a run that was cut short left behind as "running" is over when the lane says so.
  return lane ? SummaryState.Done : (stored ?? SummaryState.Pending);
}

function nothingYet(object: StoredObject | undefined, lane: LaneView | undefined): SummaryResult {
  return {
    summary: NOTHING_YET,
    generation: String(object?.generation ?? lane?.generation ?? 0),
    time: object?.createdAt ?? new Date().toISOString(),
    state: SummaryState.Pending,
    deploymentHash: '',
  };
}

function notFound({ instance, namespace }: QueueSubject): NotFoundError {
  return new NotFoundError(`instance '${instance}' is not found in namespace ${namespace}`);
}
