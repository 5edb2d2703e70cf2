import { Injectable } from '@nestjs/common';
import {
  instanceNameOf,
  reason,
  SummaryState,
  SymphonyError,
  UnavailableError,
  type ComponentSpec,
  type Deployment,
  type SummarySpec,
} from '@symphony/model';
import { generateInline } from '@symphony/planning';
import { JobStore, JobWaker, SummaryStore, type LaneKey, type LaneOrder } from '../queue/index.js';
import { DesiredStateReader, lookWithin, RunPlanner } from '../solution/index.js';
import { blockedSummary } from './report.js';
import { inlineSummaryKey } from './subject.js';

export interface InlineRequest {
  /** Decoded body. */
  body: unknown;
  namespace?: string;
  removal: boolean;
  activeTarget?: string;
  actor: string;
  /** Aborted when nobody waits for the answer any more. */
  gone?: AbortSignal;
}

/** A route waits at most this long for its run; the run goes on all the same. */
const WAIT_MS = 15 * 60_000;
/** Covers a wake-up that got lost, and runs on other replicas. */
const LOOK_EVERY_MS = 1_000;
/** Longer than a call of a provider: one that does not answer in time says so itself. */
const OBSERVE_DEADLINE_MS = 70_000;

/** Posted deployments: orders on the lane of (namespace, instance name), waited for. */
@Injectable()
export class InlineService {
  constructor(
    private readonly jobs: JobStore,
    private readonly waker: JobWaker,
    private readonly summaries: SummaryStore,
    private readonly reader: DesiredStateReader,
    private readonly planner: RunPlanner,
  ) {}

  /**
   * Orders the deployment and waits for its run.
   * @throws InvalidInputError, ConflictError (a stored instance has that name), UnavailableError when the wait gets too long,
   * SymphonyError 499 when the client has gone. The run goes on all the same.
   */
  async reconcile(request: InlineRequest): Promise<SummarySpec> {
    const deployment = this.#generate(request);
    const { namespace } = deployment.owner;
    const name = instanceNameOf(deployment.owner);
    const order: LaneOrder & { payload: NonNullable<LaneOrder['payload']> } = {
      kind: 'Instance',
      namespace,
      name,
      generation: wholeOf(deployment.generation),
      action: request.removal ? 'delete' : 'update',
      cause: 'person',
      actor: request.actor,
      payload: {
        deployment: request.body,
        jobId: deployment.jobId,
        ...(request.activeTarget === undefined ? {} : { activeTarget: request.activeTarget }),
      },
    };
    const seq = await this.jobs.orderInline(order);
    const key = inlineSummaryKey(deployment.instance.metadata, name);
    const summary = await this.#awaitSummary(order, seq, key, request.gone);
    return summary ?? blockedSummary(reason('Interrupted'), request.removal, deployment.jobId);
  }

  /** What the providers report for the deployment now. @throws UnavailableError when it takes too long */
  async observe(request: InlineRequest): Promise<ComponentSpec[]> {
    const deployment = this.#generate(request);
    const uids = deployment.targets.map((target) => target.uid);
    return lookWithin(OBSERVE_DEADLINE_MS, async (stop) => {
      const { ledger } = await this.reader.readInline(deployment.owner.uid, uids);
      return this.planner.observe(deployment, ledger, stop);
    });
  }

  #generate(request: InlineRequest): Deployment {
    return generateInline({
      wire: request.body,
      removal: request.removal,
      ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
      ...(request.activeTarget === undefined ? {} : { activeTarget: request.activeTarget }),
    });
  }

  /** @returns undefined when its run has left none */
  async #awaitSummary(
    order: LaneKey,
    seq: string,
    key: string,
    gone: AbortSignal | undefined,
  ): Promise<SummarySpec | undefined> {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      // Listens before it looks: a run that ends in between is heard.
      const finished = this.waker.nextFinished(LOOK_EVERY_MS);
      if (await this.jobs.isDone(order, seq)) {
        const result = await this.summaries.get(order.namespace, key);
        // Of a later run, which is under way: it covers our order as well, and how it ends is what counts.
        if (result?.state !== SummaryState.Running) return result?.summary;
      }
      if (gone?.aborted) throw clientGone(order);
      if (performance.now() > deadline) throw stillGoing(order);
      await finished;
    }
  }
}

function stillGoing({ name }: LaneKey): UnavailableError {
  return new UnavailableError(
    `The run of ${name} takes longer than ${WAIT_MS / 60_000} minutes; it goes on. Ask GET /v1alpha2/solution/queue?instance=${name} for its outcome.`,
    'RunStillGoing',
  );
}

/** Nobody reads it: it ends the request in the log. */
function clientGone({ name }: LaneKey): SymphonyError {
  return new SymphonyError('ClientGone', 499, `The client does not wait for the run of ${name} any more.`);
}

function wholeOf(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
