// From a write's request to the provider's call, at a steady rate, with many objects stored.
import { setTimeout as delay } from 'node:timers/promises';
import { startEngine } from './lib/engine.js';
import { copyInstance, declare, instanceSpec } from './lib/fixtures.js';
import { describeMachine, percentile, postgresText, quick, say, table } from './lib/report.js';

const STORED = quick ? 500 : 10_000;
const PER_SECOND = 20;
const SECONDS = quick ? 5 : 60;
const TARGETS = 10;
const HALF_HOUR_MS = 1_800_000;

const engine = await startEngine();
const sentAt = new Map<string, number>();
const answers: number[] = [];
let refused = 0;
try {
  say(`latency: ${PER_SECOND} writes a second for ${SECONDS} s, ${STORED} instances stored`);
  describeMachine(postgresText(engine.postgres));
  await declare(engine, TARGETS);
  await engine.client.instance('stored', instanceSpec(0, TARGETS));
  await engine.client.settled('instances', 'stored');
  await copyInstance(engine, 'stored', STORED, HALF_HOUR_MS);

  const writes: Promise<void>[] = [];
  const began = performance.now();
  for (let i = 0; i < PER_SECOND * SECONDS; i++) {
    await delay(Math.max(0, began + (i * 1000) / PER_SECOND - performance.now()));
    writes.push(write(`new-${i}`, i));
  }
  await Promise.all(writes);
  await engine.client.until('all runs to have ended', async () => {
    const [row] = await engine.sql<{
      count: number;
    }>(`SELECT count(*)::int AS count FROM runs r JOIN objects o
      ON o.uid::text = r.object_uid WHERE o.name LIKE 'new-%'`);
    return (row?.count ?? 0) >= sentAt.size ? true : undefined;
  });
  // A step's record says when its provider call began: the same clock as ours, as it is the same machine.
  const calls = await engine.sql<{ name: string; at: Date; ended: Date }>(`
    SELECT o.name, coalesce((r.steps->0->>'startedAt')::timestamptz, r.started_at) AS at, r.ended_at AS ended
    FROM runs r JOIN objects o ON o.uid::text = r.object_uid WHERE o.name LIKE 'new-%'`);
  const known = calls.filter(({ name }) => sentAt.has(name));
  const toCall = known.map(({ name, at }) => at.getTime() - (sentAt.get(name) ?? Number.NaN));
  const toEnd = known.map(({ name, ended }) => ended.getTime() - (sentAt.get(name) ?? Number.NaN));
  const row = (what: string, values: number[]) => [
    what,
    percentile(values, 0.5),
    percentile(values, 0.9),
    percentile(values, 0.99),
    Math.max(...values),
  ];
  table(
    ['milliseconds from the request to', 'p50', 'p90', 'p99', 'max'],
    [row('its answer', answers), row("the provider's apply", toCall), row('the end of the run', toEnd)],
  );
  if (refused > 0) say(`${refused} writes were refused or not answered in time.`);
} finally {
  await engine.stop();
}

async function write(name: string, i: number): Promise<void> {
  sentAt.set(name, Date.now());
  const from = performance.now();
  try {
    await engine.client.instance(name, instanceSpec(i, TARGETS));
    answers.push(performance.now() - from);
  } catch {
    // An overloaded machine: what was refused is told beside the figures.
    sentAt.delete(name);
    refused++;
  }
}
