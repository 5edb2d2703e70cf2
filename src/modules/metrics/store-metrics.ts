import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { CAUSES, type LaneState } from '../queue/index.js';
import { Metrics } from './metrics.js';
import { StoreFiguresReader, type StoreFigures } from './store-figures.js';

/** Counting looks at every lane, so scrapes that follow each other soon share one count. */
const FRESH_MS = 15_000;
/** A scrape does not wait longer for the store; what comes later is there for the next one. */
const DEADLINE_MS = 2_000;
/** Figures that could not be renewed for this long are not shown any more: they would look like the present. */
const STALE_MS = 60_000;

const KINDS = ['Instance', 'Target'] as const;
const STATES: readonly LaneState[] = ['waiting', 'running', 'suspended', 'idle', 'stalled'];
const QUEUE = { name: 'lanes' } as const;

/** Gauges of what is stored: the same on every replica that is asked. */
@Injectable()
export class StoreMetrics implements OnModuleInit {
  readonly #log = new Logger('Metrics');
  #figures: StoreFigures | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #failing = false;

  constructor(
    private readonly metrics: Metrics,
    private readonly store: StoreFiguresReader,
  ) {}

  onModuleInit(): void {
    this.metrics.beforeRender(() => this.#refresh());
    this.#defineLanes();
    this.#defineQueue();
    this.#defineStore();
  }

  #defineLanes(): void {
    const { metrics } = this;
    metrics.gauge(
      'symphony_lanes',
      'Lanes by state; one lane per target and instance.',
      ['kind', 'state'],
      () =>
        KINDS.flatMap((kind) =>
          STATES.flatMap((state) => {
            const lanes = this.#current()?.lanes.filter((lane) => lane.kind === kind && lane.state === state);
            return lanes ? [{ labels: { kind, state }, value: totalOf(lanes) }] : [];
          }),
        ),
    );
    metrics.gauge('symphony_lanes_by_reason', 'Lanes by the reason of their last run.', ['reason'], () => {
      const counts = new Map<string, number>();
      for (const { reason = 'None', count } of this.#current()?.lanes ?? []) {
        counts.set(reason, (counts.get(reason) ?? 0) + count);
      }
      return [...counts].map(([reason, value]) => ({ labels: { reason }, value }));
    });
  }

  #defineQueue(): void {
    const { metrics } = this;
    metrics.gauge('workqueue_depth', 'Orders that are due and have not begun.', ['name'], () => {
      const due = this.#current()?.due;
      return due ? [{ labels: QUEUE, value: totalOf(due) }] : [];
    });
    metrics.gauge('symphony_orders_due', 'Orders that are due and have not begun.', ['cause'], () =>
      this.#byCause('count'),
    );
    metrics.gauge(
      'symphony_oldest_due_order_age_seconds',
      'How long the order that waits longest has been due; 0 when none is.',
      ['cause'],
      () => this.#byCause('oldestSeconds'),
    );
    this.#single('symphony_fan_outs', 'Writes whose dependents are not all ordered yet.', (f) => f.fanOuts);
  }

  #defineStore(): void {
    const { metrics } = this;
    this.#single('symphony_breakers_open', 'Targets left alone until they answer.', (f) => f.openBreakers);
    this.#single('symphony_workers', 'Processes that serve the lanes.', (f) => f.workers);
    metrics.gauge('symphony_store_up', 'Whether the gauges of the store could be read.', [], () => [
      { labels: {}, value: this.#failing ? 0 : 1 },
    ]);
    metrics.gauge(
      'symphony_database_connections',
      'Open database connections of this process.',
      ['state'],
      () => {
        const { total, idle } = this.store.pool();
        return [
          { labels: { state: 'busy' }, value: total - idle },
          { labels: { state: 'idle' }, value: idle },
        ];
      },
    );
    metrics.gauge(
      'symphony_database_connection_waiters',
      'Requests of this process that wait for a database connection.',
      [],
      () => [{ labels: {}, value: this.store.pool().waiting }],
    );
  }

  #single(name: string, help: string, read: (figures: StoreFigures) => number): void {
    this.metrics.gauge(name, help, [], () => {
      const figures = this.#current();
      return figures ? [{ labels: {}, value: read(figures) }] : [];
    });
  }

  #byCause(field: 'count' | 'oldestSeconds') {
    const due = this.#current()?.due;
    if (!due) return [];
    return CAUSES.map((cause) => ({
      labels: { cause },
      value: due.find((figure) => figure.cause === cause)?.[field] ?? 0,
    }));
  }

  #current(): StoreFigures | undefined {
    return performance.now() - this.#readAt < STALE_MS ? this.#figures : undefined;
  }

  /** Ends at the deadline at the latest; never rejects. */
  async #refresh(): Promise<void> {
    if (performance.now() - this.#readAt < FRESH_MS) return;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#failing = true;
        resolve();
      }, DEADLINE_MS);
    });
    await Promise.race([this.#reading, late]);
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    try {
      this.#figures = await this.store.read();
      this.#readAt = performance.now();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ msg: 'The gauges of the store could not be read', err: error });
      this.#failing = true;
    }
  }
}

function totalOf(figures: readonly { count: number }[]): number {
  return figures.reduce((sum, { count }) => sum + count, 0);
}
