import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Events, type EngineEvents, type JobEvent } from '../events/index.js';
import { Metrics } from './metrics.js';

/** Seconds, from a run that found nothing to do to one that waited out several deadlines. */
const RUN_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const CALL_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const QUEUE = { name: 'lanes' } as const;

/** Metrics of runs, steps, provider calls and leases, from what is announced inside this process. */
@Injectable()
export class RunMetrics implements OnModuleInit, OnModuleDestroy {
  readonly #offs: (() => void)[] = [];
  /** When the runs under way began, by lane and epoch. */
  readonly #begun = new Map<string, number>();

  constructor(
    private readonly metrics: Metrics,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.#countOrders();
    this.#countRuns();
    this.#showRunning();
    this.#countCalls();
    this.#countLosses();
  }

  onModuleDestroy(): void {
    for (const off of this.#offs) off();
  }

  #on<E extends keyof EngineEvents>(event: E, listener: (payload: EngineEvents[E]) => void): void {
    this.#offs.push(this.events.on(event, listener));
  }

  /** An add is a new order, or an earlier one that has come due again; as in Kubernetes' work queues, roughly. */
  #countOrders(): void {
    const adds = this.metrics.counter('workqueue_adds_total', 'Orders that this process took in.', ['name']);
    const waits = this.metrics.histogram(
      'workqueue_queue_duration_seconds',
      'How long orders of people and of what objects depend on waited for their run to begin.',
      ['name'],
      CALL_BUCKETS,
    );
    adds.add(QUEUE, 0);
    this.#on('lane.ordered', ({ lanes }) => adds.add(QUEUE, lanes.length));
    this.#on('job.started', ({ cause, waitedMs }) => {
      // Pages of dependents, retries and periodic runs are ordered inside the store, and seen when they begin.
      if (cause !== 'person') adds.add(QUEUE);
      // What the engine ordered for later was ordered long before it came due.
      if (cause === 'person' || cause === 'dependent') waits.observe(QUEUE, waitedMs / 1000);
    });
  }

  #countRuns(): void {
    const { metrics } = this;
    const retries = metrics.counter('workqueue_retries_total', 'Runs that will be tried again.', ['name']);
    const work = metrics.histogram(
      'workqueue_work_duration_seconds',
      'Duration of runs.',
      ['name'],
      RUN_BUCKETS,
    );
    const runs = metrics.counter('symphony_runs_total', 'Runs that ended in this process.', [
      'kind',
      'cause',
      'result',
      'reason',
    ]);
    const duration = metrics.histogram(
      'symphony_run_duration_seconds',
      'Duration of runs.',
      ['kind', 'result'],
      RUN_BUCKETS,
    );
    retries.add(QUEUE, 0);
    this.#on('job.started', (job) => this.#begun.set(keyOf(job), performance.now()));
    this.#on('job.finished', (job) => {
      const { kind, cause, result, reason = 'None' } = job;
      runs.add({ kind, cause, result, reason });
      if (result === 'retry') retries.add(QUEUE);
      const begun = this.#begun.get(keyOf(job));
      this.#begun.delete(keyOf(job));
      if (begun === undefined) return;
      const seconds = (performance.now() - begun) / 1000;
      work.observe(QUEUE, seconds);
      duration.observe({ kind, result }, seconds);
    });
  }

  #showRunning(): void {
    const ages = (): number[] => [...this.#begun.values()].map((begun) => (performance.now() - begun) / 1000);
    this.metrics.gauge(
      'workqueue_unfinished_work_seconds',
      'Sum of the ages of the runs under way in this process.',
      ['name'],
      () => [{ labels: QUEUE, value: ages().reduce((sum, age) => sum + age, 0) }],
    );
    this.metrics.gauge(
      'workqueue_longest_running_processor_seconds',
      'Age of the oldest run under way in this process.',
      ['name'],
      () => [{ labels: QUEUE, value: Math.max(0, ...ages()) }],
    );
    this.metrics.gauge('symphony_runs_active', 'Runs under way in this process.', [], () => [
      { labels: {}, value: this.#begun.size },
    ]);
  }

  #countCalls(): void {
    const { metrics } = this;
    const steps = metrics.histogram(
      'symphony_step_duration_seconds',
      'Duration of steps: the calls that bring components of one role to one target.',
      ['provider', 'outcome'],
      RUN_BUCKETS,
    );
    this.#on('step.finished', ({ provider, outcome, durationMs }) =>
      steps.observe({ provider, outcome }, durationMs / 1000),
    );
    const calls = metrics.counter('symphony_provider_calls_total', 'Calls of providers by how they ended.', [
      'provider',
      'operation',
      'outcome',
    ]);
    const duration = metrics.histogram(
      'symphony_provider_call_duration_seconds',
      'Duration of calls of providers, without the wait for the target to be free.',
      ['provider', 'operation'],
      CALL_BUCKETS,
    );
    this.#on('provider.called', ({ provider, operation, outcome, durationMs }) => {
      calls.add({ provider, operation, outcome });
      if (durationMs !== undefined) duration.observe({ provider, operation }, durationMs / 1000);
    });
  }

  #countLosses(): void {
    const { metrics } = this;
    const fenced = metrics.counter(
      'symphony_fenced_writes_total',
      'Runs whose writes were refused: the lane was taken over.',
      [],
    );
    const losses = metrics.counter(
      'symphony_lease_losses_total',
      'Times that this process lost its lease.',
      [],
    );
    const taken = metrics.counter(
      'symphony_lanes_taken_over_total',
      'Lanes taken over from workers that were gone.',
      [],
    );
    // From zero on, so that the first one is seen as an increase.
    for (const counter of [fenced, losses, taken]) counter.add({}, 0);
    this.#on('run.fenced', () => fenced.add({}));
    this.#on('lease.lost', () => losses.add({}));
    this.#on('lanes.takenOver', ({ lanes }) => taken.add({}, lanes));
  }
}

function keyOf({ kind, namespace, name, epoch }: JobEvent): string {
  return JSON.stringify([kind, namespace, name, epoch]);
}
