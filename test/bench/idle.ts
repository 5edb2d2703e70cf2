// What an engine costs that has nothing to do but to look every half hour whether all is as declared.
import { setTimeout as delay } from 'node:timers/promises';
import { startEngine, type Usage } from './lib/engine.js';
import { copyInstance, declare, instanceSpec } from './lib/fixtures.js';
import { describeMachine, postgresText, quick, say, table } from './lib/report.js';

const STORED = quick ? 2_000 : 100_000;
const WINDOW_S = quick ? 5 : 60;
const HALF_HOUR_MS = 1_800_000;

const engine = await startEngine();
try {
  say(`idle: ${STORED} instances with policies of 30 minutes, windows of ${WINDOW_S} s`);
  describeMachine(postgresText(engine.postgres));
  await declare(engine, 1);
  await engine.client.instance('stored', {
    ...instanceSpec(0, 1),
    reconciliationPolicy: { state: 'active', interval: '30m' },
  });
  await engine.client.settled('instances', 'stored');
  const empty = await window('one instance');

  await copyInstance(engine, 'stored', STORED, HALF_HOUR_MS);
  await engine.sql(`UPDATE lanes SET due_at = due_at + interval '1 hour' WHERE due_at IS NOT NULL`);
  const quiet = await window(`${STORED} stored, none due`);
  await engine.sql(`UPDATE lanes SET due_at = due_at - interval '1 hour' WHERE due_at IS NOT NULL`);
  const due = await window(`${STORED} stored, due all over half an hour`);

  table(
    [
      'window',
      'engine CPU %',
      'database CPU %',
      'engine MiB',
      'due checks',
      'records written',
      'overdue at the end',
    ],
    [empty, quiet, due].map((w) => [w.what, w.engine, w.database, w.rss, w.checks, w.records, w.overdue]),
  );
  const each = (of: 'engine' | 'database'): number => ((due[of] - quiet[of]) * 10 * WINDOW_S) / due.checks;
  table(
    ['processor time of one due check', 'ms'],
    [
      ['engine', each('engine')],
      ['database', each('database')],
    ],
  );
} finally {
  await engine.stop();
}

interface Window {
  what: string;
  /** Percent of one core. */
  engine: number;
  database: number;
  rss: number;
  checks: number;
  records: number;
  overdue: number;
}

async function window(what: string): Promise<Window> {
  // What was done to get here is not what is measured: vacuum and checkpoints settle first.
  await engine.sql('VACUUM ANALYZE');
  await engine.sql('CHECKPOINT');
  await delay(2_000);
  const [claimed, records, before] = [await claims(), await runs(), await engine.usage()];
  const began = performance.now();
  await delay(WINDOW_S * 1000);
  const after = await engine.usage();
  const seconds = (performance.now() - began) / 1000;
  const share = (of: keyof Usage): number => ((after[of] - before[of]) / seconds) * 100;
  const [row] = await engine.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM lanes WHERE due_at < now() - interval '2 seconds'`,
  );
  return {
    what,
    engine: share('engineCpu'),
    database: share('databaseCpu'),
    rss: after.rss,
    checks: (await claims()) - claimed,
    records: (await runs()) - records,
    overdue: row?.count ?? 0,
  };
}

async function claims(): Promise<number> {
  const [row] = await engine.sql<{ sum: string }>('SELECT sum(epoch) AS sum FROM lanes');
  return Number(row?.sum);
}

async function runs(): Promise<number> {
  const [row] = await engine.sql<{ count: number }>('SELECT count(*)::int AS count FROM runs');
  return row?.count ?? 0;
}
