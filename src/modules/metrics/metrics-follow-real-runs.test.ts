import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mockTopology, TestEngine } from '../../../test/support/engine.js';
import { parsePrometheus, type Series, valueOf } from '../../../test/support/prometheus.js';
import { mockControl } from '../providers/index.js';

/** Part of every name and text that a user gives here. */
const CANARY = 'canary';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start();
});
afterAll(() => engine.stop());

async function scrape(): Promise<{ text: string; series: Series[] }> {
  const answer = await fetch(`${engine.url}/metrics`, { headers: engine.authorization });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  return { text, series: parsePrometheus(text) };
}

test('from the first scrape on there is a zero to rise from', async () => {
  const { series } = await scrape();
  for (const name of [
    'workqueue_adds_total',
    'workqueue_retries_total',
    'workqueue_depth',
    'workqueue_unfinished_work_seconds',
    'workqueue_longest_running_processor_seconds',
    'symphony_fenced_writes_total',
    'symphony_lease_losses_total',
    'symphony_lanes_taken_over_total',
    'symphony_breakers_open',
  ]) {
    expect(valueOf(series, name), name).toBe(0);
  }
  expect(series.filter(({ name }) => name === 'symphony_lanes')).toHaveLength(10);
  for (const cause of ['person', 'dependent', 'retry', 'periodic']) {
    expect(valueOf(series, 'symphony_oldest_due_order_age_seconds', { cause })).toBe(0);
  }
  expect(valueOf(series, 'symphony_store_up')).toBe(1);
  expect(valueOf(series, 'symphony_workers')).toBe(1);
  expect(valueOf(series, 'symphony_database_connections')).toBeGreaterThan(0);
  expect(valueOf(series, 'symphony_build_info')).toBe(1);
  expect(valueOf(series, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  expect(valueOf(series, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
});

test('a good run, a failing one and the requests for them are counted and timed', async () => {
  const mock = mockControl(`${CANARY}-table`);
  await engine.target(`${CANARY}-target`, { topologies: mockTopology(`${CANARY}-table`) }, `${CANARY}-ns`);
  const properties = { password: `${CANARY}-secret` };
  await engine.solution(`${CANARY}-v-1`, [{ name: `${CANARY}-web`, properties }], `${CANARY}-ns`);
  const spec = { solution: `${CANARY}:1`, target: { name: `${CANARY}-target` } };
  await engine.instance(`${CANARY}-app`, spec, `${CANARY}-ns`);
  await engine.settled('instances', `${CANARY}-app`, 'Succeeded', `${CANARY}-ns`);

  const good = (await scrape()).series;
  const provider = 'providers.target.mock';
  const run = { kind: 'Instance', result: 'succeeded' };
  expect(valueOf(good, 'symphony_runs_total', { ...run, reason: 'Succeeded' })).toBeGreaterThanOrEqual(1);
  expect(valueOf(good, 'symphony_run_duration_seconds_count', run)).toBeGreaterThanOrEqual(1);
  expect(valueOf(good, 'workqueue_adds_total')).toBeGreaterThanOrEqual(2);
  expect(valueOf(good, 'workqueue_queue_duration_seconds_count')).toBeGreaterThanOrEqual(2);
  expect(valueOf(good, 'workqueue_work_duration_seconds_count')).toBeGreaterThanOrEqual(2);
  expect(valueOf(good, 'symphony_step_duration_seconds_count', { provider, outcome: 'ok' })).toBe(1);
  for (const operation of ['get', 'apply']) {
    const call = { provider, operation };
    expect(valueOf(good, 'symphony_provider_calls_total', { ...call, outcome: 'ok' })).toBeGreaterThan(0);
    expect(valueOf(good, 'symphony_provider_call_duration_seconds_count', call)).toBeGreaterThan(0);
  }
  const posted = { method: 'POST', route: '/v1alpha2/instances/:name', status: '2xx' };
  expect(valueOf(good, 'http_request_duration_seconds_count', posted)).toBe(1);
  expect(valueOf(good, 'workqueue_retries_total')).toBe(0);

  mock.set({ failApply: ['*'] });
  await engine.solution(`${CANARY}-v-1`, [{ name: `${CANARY}-web`, properties: { a: 'b' } }], `${CANARY}-ns`);
  await engine.settled('instances', `${CANARY}-app`, 'Failed', `${CANARY}-ns`);
  await engine.until('the retry to be counted', async () =>
    (valueOf((await scrape()).series, 'workqueue_retries_total') ?? 0) > 0 ? true : undefined,
  );
  const bad = (await scrape()).series;
  expect(valueOf(bad, 'symphony_runs_total', { kind: 'Instance', result: 'retry' })).toBeGreaterThan(0);
  expect(
    valueOf(bad, 'symphony_step_duration_seconds_count', { provider, outcome: 'failed' }),
  ).toBeGreaterThan(0);
});

test('nothing that a user wrote becomes a label, whatever is asked for', async () => {
  await Promise.all([
    ...[...Array(50).keys()].map((i) => engine.request('GET', `/instances/${CANARY}-${i}`)),
    ...[...Array(50).keys()].map((i) => engine.request('GET', `/${CANARY}-${i}?${CANARY}`)),
    engine.request('PROPFIND', `/${CANARY}`),
    engine.request('POST', '/users/auth', { username: CANARY, password: CANARY }),
  ]);
  const { text, series } = await scrape();
  expect(text).not.toContain(CANARY);
  const routes = new Set(series.map(({ labels }) => labels.route).filter((route) => route !== undefined));
  expect(routes).toContain('none');
  expect(routes).toContain('/v1alpha2/instances/:name');
  expect(routes.size).toBeLessThan(20);
  const words = series.flatMap(({ labels }) =>
    Object.entries(labels).filter(([key]) => !['route', 'provider', 'version', 'node', 'le'].includes(key)),
  );
  for (const [key, word] of words) expect(`${key}=${word}`).toMatch(/^\w+=[\w.-]{1,40}$/);
  expect(series.length).toBeLessThan(2_000);
});

test('docs/metrics.md has every metric, and none that there is not', async () => {
  const { text } = await scrape();
  // Those of Kubernetes mode are told apart by their names; its own test looks at them.
  const ours = /\b(symphony(?!_kubernetes)|workqueue|http)_[a-z_]+\b/g;
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const shown = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
  const told = new Set([...page.matchAll(ours)].map(([name]) => name));
  expect([...told].sort()).toEqual([...shown].filter((name) => name.match(ours)).sort());
});

test('it takes a token, unless the configuration says otherwise', async () => {
  expect((await fetch(`${engine.url}/metrics`)).status).toBe(401);
  const open = await TestEngine.start({ config: { 'metrics.public': true } });
  try {
    const answer = await fetch(`${open.url}/metrics`);
    expect(answer.status).toBe(200);
    expect(parsePrometheus(await answer.text()).length).toBeGreaterThan(50);
  } finally {
    await open.stop();
  }
});
