import { LeaseLostError } from '../../../modules/queue/index.js';
import type { Lane } from './lane.js';

interface Worker {
  until: number;
  held: Set<Lane>;
}

/** Who may run lanes until when, and which ones each of them holds. Times are those of the monotonic clock. */
export class Leases {
  readonly #workers = new Map<string, Worker>();

  register(worker: string, until: number): void {
    this.#workers.set(worker, { until, held: new Set() });
  }

  isLive(worker: string, now: number): boolean {
    return (this.#workers.get(worker)?.until ?? -Infinity) > now;
  }

  /** @throws LeaseLostError when it has ended */
  renew(worker: string, now: number, until: number): Lane[] {
    const found = this.#workers.get(worker);
    if (!found || found.until <= now) throw new LeaseLostError();
    found.until = until;
    return [...found.held];
  }

  hold(worker: string, lane: Lane): void {
    lane.worker = worker;
    this.#workers.get(worker)?.held.add(lane);
  }

  letGo(lane: Lane): void {
    if (lane.worker !== undefined) this.#workers.get(lane.worker)?.held.delete(lane);
    lane.worker = undefined;
  }

  /** Those whose lease ended before that moment. */
  endedBefore(moment: number): string[] {
    return [...this.#workers].filter(([, { until }]) => until < moment).map(([worker]) => worker);
  }

  others(worker: string): string[] {
    return [...this.#workers.keys()].filter((other) => other !== worker);
  }

  /** Forgets a worker. @returns what it held */
  end(worker: string): Lane[] {
    const held = [...(this.#workers.get(worker)?.held ?? [])];
    this.#workers.delete(worker);
    return held;
  }

  /** Ends all workers, also those whose runs hold no lane any more: they are to stop. */
  endAll(): void {
    this.#workers.clear();
  }

  live(now: number): number {
    return [...this.#workers.values()].filter(({ until }) => until > now).length;
  }
}
