import type { DeployableKind } from '@symphony/model';
import type { CounterMetric, Metrics } from '../../modules/metrics/index.js';
import type { RequestRecord } from './client/index.js';
import type { EventResult } from './events/index.js';

const EVENT_RESULTS: readonly EventResult[] = ['created', 'series', 'dropped'];

/** What this mode adds to the metrics: nothing is counted before `register`, when the application is not there yet. */
export class KubernetesMetrics {
  #requests: CounterMetric<'verb' | 'resource' | 'status'> | undefined;
  #events: CounterMetric<'result'> | undefined;
  #orphaned: CounterMetric<'kind' | 'how'> | undefined;

  register(metrics: Metrics): void {
    this.#requests = metrics.counter(
      'symphony_kubernetes_requests_total',
      'Attempts of requests to the API server by verb and resource; status is a class, or none without an answer.',
      ['verb', 'resource', 'status'],
    );
    this.#events = metrics.counter(
      'symphony_kubernetes_events_total',
      'What was told as a Kubernetes Event: created, counted in a series, or dropped.',
      ['result'],
    );
    this.#orphaned = metrics.counter(
      'symphony_kubernetes_orphaned_objects_total',
      'Objects that went before what was deployed for them was removed, which stays.',
      ['kind', 'how'],
    );
    for (const result of EVENT_RESULTS) this.#events.add({ result }, 0);
    for (const kind of ['Instance', 'Target'])
      for (const how of ['asked', 'byHand']) this.#orphaned.add({ kind, how }, 0);
  }

  request({ verb, resource, status }: RequestRecord): void {
    const word = status === undefined ? 'none' : `${Math.floor(status / 100)}xx`;
    this.#requests?.add({ verb, resource, status: word });
  }

  event(result: EventResult): void {
    this.#events?.add({ result });
  }

  /** @param how `asked` by the annotation, or `byHand`: somebody took our finalizer off */
  orphaned(kind: DeployableKind, how: 'asked' | 'byHand'): void {
    this.#orphaned?.add({ kind, how });
  }
}
