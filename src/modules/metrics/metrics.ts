import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Values of labels by name: words of the engine's own (kinds, results, codes, route templates), never names of objects. */
type Labels<L extends string> = Readonly<Record<L, string>>;

export interface CounterMetric<L extends string> {
  add(labels: Labels<L>, by?: number): void;
}

export interface HistogramMetric<L extends string> {
  observe(labels: Labels<L>, value: number): void;
}

/** One value of a gauge. */
export interface Sample<L extends string> {
  labels: Labels<L>;
  value: number;
}

/** A metric with more series than this is a mistake in its labels; what comes later is counted as `other`. */
const MAX_SERIES = 1_000;
const OTHER = 'other';

/**
 * All metrics of one engine, and the only place that knows the library behind them. Recording never throws and never
 * waits; nothing but what operators see depends on it.
 */
@Injectable()
export class Metrics {
  readonly #registry = new Registry();
  readonly #preparations: (() => Promise<void>)[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @param name ends in `_total` */
  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): CounterMetric<L> {
    const counter = new Counter({ name, help, labelNames, registers: [this.#registry] });
    const bounded = boundary(labelNames);
    return { add: (labels, by = 1) => counter.inc(bounded(labels), by) };
  }

  /** @param buckets upper bounds in the unit of the name, ascending */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[],
  ): HistogramMetric<L> {
    const histogram = new Histogram({
      name,
      help,
      labelNames,
      buckets: [...buckets],
      registers: [this.#registry],
    });
    const bounded = boundary(labelNames);
    return { observe: (labels, value) => histogram.observe(bounded(labels), Math.max(0, value)) };
  }

  /** A metric that is read when somebody asks. @param read must be quick; see {@link beforeRender} for what is not */
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => readonly Sample<L>[],
  ): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const { labels, value } of read().slice(0, MAX_SERIES)) gauge.set(labels, value);
      },
    });
  }

  /** Processor, memory, event loop, garbage collection, under the names that Prometheus clients of Node.js share. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Work to be done before each rendering. It must end by itself within seconds, and must not reject. */
  beforeRender(prepare: () => Promise<void>): void {
    this.#preparations.push(prepare);
  }

  /** All metrics in Prometheus' text format. */
  async render(): Promise<string> {
    await Promise.all(this.#preparations.map((prepare) => prepare()));
    return this.#registry.metrics();
  }
}

/** Lets at most MAX_SERIES sets of values of these labels through. */
function boundary<L extends string>(names: readonly L[]): (labels: Labels<L>) => Labels<L> {
  const known = new Set<string>();
  const other = Object.fromEntries(names.map((name) => [name, OTHER])) as Record<L, string>;
  return (labels) => {
    const key = names.map((name) => labels[name]).join('\0');
    if (known.has(key)) return labels;
    if (known.size >= MAX_SERIES) return other;
    known.add(key);
    return labels;
  };
}
