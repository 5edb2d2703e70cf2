import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { AccessError, reason, UnavailableError } from '@symphony/model';
import type { Events } from '../events/index.js';
import { withLogContext } from '../logging/index.js';
import { FencedError, LeaseLostError } from './errors.js';
import type { JobManagerOptions } from './job-manager-options.js';
import type { JobStore } from './job-store.js';
import type { Claim, RunOutcome } from './lanes.js';
import { pause } from './latch.js';
import type { RunHandler } from './run-handler.js';
import { RunWaits } from './run-waits.js';
import type { ActiveRun, WorkerSession } from './worker-session.js';

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/** Runs one claim from start to its written outcome. */
export class RunExecutor {
  constructor(
    private readonly store: JobStore,
    private readonly handler: RunHandler,
    private readonly events: Events,
    private readonly log: NonNullable<JobManagerOptions['log']>,
  ) {}

  /**
   * Adds the run to the session; it takes itself out when it is over.
   * @param onFree called when the run needs no slot any more, or while it waits
   */
  start(session: WorkerSession, claim: Claim, onFree: () => void): void {
    const run: ActiveRun = {
      claim,
      startedAt: performance.now(),
      stop: new AbortController(),
      superseded: new AbortController(),
      waits: new RunWaits(onFree),
      ended: false,
      settled: Promise.resolve(),
    };
    // One listener per call under way: as many as the run has targets.
    setMaxListeners(0, run.stop.signal, run.superseded.signal);
    session.runs.set(claim.fence.laneId, run);
    const fields = {
      job: `${claim.kind}/${claim.namespace}/${claim.name}`,
      lane: claim.fence.laneId,
      epoch: claim.fence.epoch,
      generation: claim.generation,
      // A trace of its own: one run serves all orders that folded into it.
      traceId: randomBytes(16).toString('hex'),
    };
    run.settled = withLogContext(fields, () => this.#run(session, run, onFree))
      .catch((error: unknown) => {
        this.log.error({ msg: 'A run ended in an error of the engine' }, error);
      })
      .finally(() => {
        // The next run of the lane may have begun already, before the answer to this one's completion came.
        if (session.runs.get(claim.fence.laneId) === run) session.runs.delete(claim.fence.laneId);
        onFree();
      });
  }

  async #run(session: WorkerSession, run: ActiveRun, onFree: () => void): Promise<void> {
    const { claim } = run;
    const event = {
      kind: claim.kind,
      namespace: claim.namespace,
      name: claim.name,
      epoch: claim.fence.epoch,
      generation: claim.generation,
      cause: claim.cause,
    };
    // A claim may have been answered after the lease had ended here.
    if (!session.isLive()) return;
    const waitedMs = Math.max(0, Date.parse(claim.claimedAt) - Date.parse(claim.orderedAt));
    this.events.emit('job.started', { ...event, waitedMs });
    const outcome = await this.#outcomeOf(run);
    run.ended = true;
    onFree();
    const written = outcome && (await this.#complete(session, run, outcome));
    if (written) this.#logEnd(claim, written);
    this.events.emit('job.finished', {
      ...event,
      result: written ? written.result : 'aborted',
      reason: written?.reason.code,
    });
  }

  /** What an operator wants to read without asking: what was done, and what is in trouble and why. */
  #logEnd({ cause, attempts }: Claim, { result, reason: why, record }: RunOutcome): void {
    const line = { msg: `Run ${result}: ${why.code}`, cause, run: record?.id, attempts };
    if (result === 'retry' || result === 'waiting') this.log.warn({ ...line, why: why.message });
    else if (record) this.log.log(line);
    else this.log.debug?.(line);
  }

  /** Undefined: the run was stopped and must write nothing. */
  async #outcomeOf(run: ActiveRun): Promise<RunOutcome | undefined> {
    try {
      const control = {
        stop: run.stop.signal,
        superseded: run.superseded.signal,
        waitsFor: (work: Promise<unknown>) => run.waits.add(work),
      };
      const outcome = await this.handler.run(run.claim, control);
      return run.stop.signal.aborted ? undefined : outcome;
    } catch (error) {
      if (error instanceof FencedError && run.stop.signal.aborted) this.events.emit('run.fenced', run.claim);
      if (run.stop.signal.aborted) return undefined;
      // Somebody else has written for this object: it is looked at anew. If the lane is theirs, that is refused as well.
      if (error instanceof FencedError) return { result: 'retry', reason: reason('Interrupted') };
      if (error instanceof UnavailableError) {
        // Whoever looks for a fault of the engine must not find every outage of its store.
        this.log.warn({ msg: 'A run was broken off: the store cannot be reached' }, error);
        return { result: 'retry', reason: reason('StoreUnavailable') };
      }
      if (error instanceof AccessError) {
        this.log.warn({ msg: 'A run was broken off: the store refuses the engine' }, error);
        return refused(error);
      }
      this.log.error({ msg: 'The handler of a run failed' }, error);
      return internalError();
    }
  }

  /**
   * Writes the outcome, again and again while the store cannot be reached and the lanes cannot have been taken over: what
   * the run did is worth more than a repetition.
   * @returns what was written; undefined when another worker had the lane
   */
  async #complete(
    session: WorkerSession,
    run: ActiveRun,
    outcome: RunOutcome,
  ): Promise<RunOutcome | undefined> {
    let waitMs = FIRST_RETRY_MS;
    let current = outcome;
    for (;;) {
      try {
        const result = await this.store.complete(run.claim, current);
        if (!result.fenced) return current;
        this.events.emit('run.fenced', run.claim);
        this.log.warn({ msg: 'The outcome of a run was not written: its lane was taken over' });
        return undefined;
      } catch (error) {
        if (session.isTakenOver() || isDraining(run)) {
          this.log.warn(
            { msg: 'The outcome of a run was not written: the store did not answer in time' },
            error,
          );
          return undefined;
        }
        if (!(error instanceof UnavailableError) && current === outcome) {
          // Something in the outcome cannot be stored, or we may not. The lane must not be held for ever because of it.
          const isRefused = error instanceof AccessError;
          this.log[isRefused ? 'warn' : 'error']({ msg: 'The outcome of a run cannot be stored' }, error);
          current = isRefused ? refused(error) : internalError();
        }
      }
      await pause(waitMs);
      waitMs = Math.min(MAX_RETRY_MS, waitMs * 2);
    }
  }
}

/** Stopped, and not because of the lease, which leaves the lane ours until it is taken over. */
function isDraining({ stop }: ActiveRun): boolean {
  return stop.signal.aborted && !(stop.signal.reason instanceof LeaseLostError);
}

/** No fault of ours, and none that another spec would mend: somebody has to give the right. */
function refused(error: AccessError): RunOutcome {
  return { result: 'retry', reason: reason('StoreRefused', error.message) };
}

function internalError(): RunOutcome {
  return { result: 'retry', reason: reason('InternalError') };
}
