import { Injectable, Logger } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';

/** Identity of an object, as far as an event tells it. */
interface EventSubject {
  kind: string;
  namespace: string;
  name: string;
}

export interface JobEvent extends EventSubject {
  epoch: number;
  generation: number;
  cause: string;
}

/** Names and payloads of everything that is announced inside this process. */
export interface EngineEvents {
  /** `waitedMs`: since the order that the run covers came in. */
  'job.started': JobEvent & { waitedMs: number };
  /** `result` is a RunResult, or `aborted` when the run wrote nothing; `reason` is a code. */
  'job.finished': JobEvent & { result: string; reason?: string };
  /** A run could write nothing any more: its lane was taken over. */
  'run.fenced': EventSubject;
  /** This process lost its lease and stops the runs that it had. */
  'lease.lost': { runs: number };
  /** Freed lanes of workers that were gone. */
  'lanes.takenOver': { lanes: number };
  /** `provider` is a type; `outcome` is the worst state of an action of the step. */
  'step.finished': { provider: string; outcome: string; durationMs: number };
  /** `outcome` is `ok`, `componentsFailed`, or a reason's code; without `durationMs` the provider was not reached. */
  'provider.called': { provider: string; operation: string; outcome: string; durationMs?: number };
  'lane.ordered': { lanes: readonly EventSubject[] };
  'object.changed': EventSubject & { uid: string; change: 'created' | 'updated' | 'status' | 'removed' };
}

/**
 * Hints inside this process, for streams, metrics and logs. Nothing may depend on one arriving: another replica's are not
 * heard, and with all of them switched off nothing is lost, only later.
 */
@Injectable()
export class Events {
  readonly #log = new Logger(Events.name);

  constructor(private readonly emitter: EventEmitter2) {}

  /** Never throws: a listener that fails is logged. */
  emit<E extends keyof EngineEvents>(event: E, payload: EngineEvents[E]): void {
    try {
      this.emitter.emit(event, payload);
    } catch (error) {
      this.#log.error({ msg: 'A listener of an event failed', event }, error);
    }
  }

  /** @returns a function that ends it */
  on<E extends keyof EngineEvents>(event: E, listener: (payload: EngineEvents[E]) => void): () => void {
    this.emitter.on(event, listener);
    return () => {
      this.emitter.off(event, listener);
    };
  }
}
