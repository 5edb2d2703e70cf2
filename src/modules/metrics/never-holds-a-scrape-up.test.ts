import { afterEach, expect, test, vi } from 'vitest';
import { parsePrometheus, valueOf } from '../../../test/support/prometheus.js';
import { Metrics } from './metrics.js';
import { StoreFiguresReader, type StoreFigures } from './store-figures.js';
import { StoreMetrics } from './store-metrics.js';

const FIGURES: StoreFigures = {
  lanes: [{ kind: 'Instance', state: 'idle', reason: 'Succeeded', count: 7 }],
  due: [{ cause: 'periodic', count: 3, oldestSeconds: 90 }],
  fanOuts: 1,
  openBreakers: 2,
  workers: 3,
};

/** A store that answers as told. */
class Store extends StoreFiguresReader {
  reads = 0;
  answer: () => Promise<StoreFigures> = () => Promise.resolve(FIGURES);

  override read(): Promise<StoreFigures> {
    this.reads += 1;
    return this.answer();
  }

  override pool() {
    return { total: 3, idle: 1, waiting: 0 };
  }
}

function engine() {
  const metrics = new Metrics();
  const store = new Store();
  new StoreMetrics(metrics, store).onModuleInit();
  return { store, scrape: async () => parsePrometheus(await metrics.render()) };
}

afterEach(() => {
  vi.useRealTimers();
});

test('scrapes that follow each other soon share one count', async () => {
  const { store, scrape } = engine();
  await Promise.all([scrape(), scrape(), scrape()]);
  const series = await scrape();
  expect(store.reads).toBe(1);
  expect(valueOf(series, 'symphony_lanes', { kind: 'Instance', state: 'idle' })).toBe(7);
  expect(valueOf(series, 'symphony_lanes', { kind: 'Target' })).toBe(0);
  expect(valueOf(series, 'symphony_lanes_by_reason', { reason: 'Succeeded' })).toBe(7);
  expect(valueOf(series, 'workqueue_depth', { name: 'lanes' })).toBe(3);
  expect(valueOf(series, 'symphony_oldest_due_order_age_seconds', { cause: 'periodic' })).toBe(90);
  expect(valueOf(series, 'symphony_breakers_open')).toBe(2);
  expect(valueOf(series, 'symphony_database_connections', { state: 'busy' })).toBe(2);
});

test('a store that does not answer costs a scrape two seconds and its own gauges, nothing else', async () => {
  const { store, scrape } = engine();
  store.answer = () => new Promise(() => undefined);
  vi.useFakeTimers();
  const afterTwoSeconds = async (scraping: ReturnType<typeof scrape>) => {
    await vi.advanceTimersByTimeAsync(2_000);
    return scraping;
  };
  const series = await afterTwoSeconds(scrape());
  expect(valueOf(series, 'symphony_store_up')).toBe(0);
  expect(valueOf(series, 'workqueue_depth')).toBeUndefined();
  expect(valueOf(series, 'symphony_lanes')).toBeUndefined();
  await afterTwoSeconds(scrape());
  expect(store.reads, 'nobody asks twice at once').toBe(1);
});

test('a store that fails is asked again, and nothing is made up meanwhile', async () => {
  const { store, scrape } = engine();
  store.answer = () => Promise.reject(new Error('postgres://u:secret@h'));
  const series = await scrape();
  expect(valueOf(series, 'symphony_store_up')).toBe(0);
  expect(valueOf(series, 'symphony_lanes')).toBeUndefined();
  store.answer = () => Promise.resolve(FIGURES);
  expect(valueOf(await scrape(), 'symphony_store_up')).toBe(1);
});

test('labels that would go on for ever end at a thousand series', async () => {
  const metrics = new Metrics();
  const counter = metrics.counter('x_total', 'x', ['name']);
  for (let i = 0; i < 5_000; i++) counter.add({ name: `n${i}` });
  counter.add({ name: 'n1' });
  const series = parsePrometheus(await metrics.render());
  expect(series).toHaveLength(1_001);
  expect(valueOf(series, 'x_total', { name: 'other' })).toBe(4_000);
  expect(valueOf(series, 'x_total', { name: 'n1' })).toBe(2);
});
