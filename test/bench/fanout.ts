// One write to a solution on which very many instances depend, and what others notice of it.
import { setTimeout as delay } from 'node:timers/promises';
import { startEngine } from './lib/engine.js';
import { allSucceeded, copyInstance, declare, instanceSpec, isBusy, LOOK_EVERY_MS } from './lib/fixtures.js';
import { describeMachine, percentile, postgresText, quick, say, table, timed } from './lib/report.js';

const DEPENDENTS = quick ? 200 : 10_000;
/** A target is called by one run at a time, unless its provider declares more to be safe. */
const TARGETS = 10;
const FOREIGN_PER_SECOND = 5;
const HALF_HOUR_MS = 1_800_000;

const engine = await startEngine();
const { client } = engine;
try {
  say(`fanout: one write to a solution with ${DEPENDENTS} dependents`);
  describeMachine(postgresText(engine.postgres));
  await declare(engine, TARGETS);
  await client.solution('foreign', [{ name: 'other', type: 'container', properties: { version: '0' } }]);
  await client.instance('foreign', { solution: 'foreign', target: { name: 'target-1' } });
  for (let i = 0; i < TARGETS; i++) {
    await client.instance(`app-${i}`, instanceSpec(i, TARGETS));
    await client.settled('instances', `app-${i}`);
    await copyInstance(engine, `app-${i}`, DEPENDENTS / TARGETS - 1, HALF_HOUR_MS);
  }
  await engine.sql(`UPDATE lanes SET due_at = due_at + interval '1 hour' WHERE due_at IS NOT NULL`);
  const quietly = await foreignWrites(async () => delay(quick ? 2_000 : 10_000));

  // The status tells the generation of the instance, not that of the solution: the records tell that all have run.
  const { count: before } = await records();
  const usage = await engine.usage();
  let answerMs = 0;
  let allMs = 0;
  const meanwhile = await foreignWrites(async () => {
    allMs = await timed(async () => {
      answerMs = await timed(() =>
        client.solution('bench', [{ name: 'web', type: 'container', properties: { image: 'bench:2' } }]),
      );
      await client.until(
        'all dependents to have run',
        async () => {
          await delay(LOOK_EVERY_MS);
          if (await isBusy(engine, 'foreign')) return undefined;
          return (await records()).count - before >= DEPENDENTS ? true : undefined;
        },
        records,
        900_000,
      );
    });
  });
  await allSucceeded(engine, DEPENDENTS);
  const used = await engine.usage();
  table(
    [
      'dependents',
      'answer of the write ms',
      'all have run s',
      'per second',
      'engine CPU ms each',
      'database CPU ms each',
      'engine peak MiB',
    ],
    [
      [
        DEPENDENTS,
        answerMs,
        allMs / 1000,
        (DEPENDENTS / allMs) * 1000,
        ((used.engineCpu - usage.engineCpu) / DEPENDENTS) * 1000,
        ((used.databaseCpu - usage.databaseCpu) / DEPENDENTS) * 1000,
        used.peakRss,
      ],
    ],
  );
  table(
    ['writes to a foreign instance', 'writes', 'answer p50 ms', 'p99 ms', 'until deployed p50 ms', 'p99 ms'],
    [
      ['before', ...figures(quietly)],
      ['meanwhile', ...figures(meanwhile)],
    ],
  );
} finally {
  await engine.stop();
}

interface ForeignWrite {
  answerMs: number;
  deployedMs: number;
}

/** Writes to an instance that has nothing to do with the solution, at a steady rate, for as long as the work takes. */
async function foreignWrites(work: () => Promise<unknown>): Promise<ForeignWrite[]> {
  const done: ForeignWrite[] = [];
  const over = new AbortController();
  const writing = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      const began = performance.now();
      const parameters = { turn: `${done.length}-${began}` };
      await client.instance('foreign', { solution: 'foreign', target: { name: 'target-1' }, parameters });
      const answerMs = performance.now() - began;
      await client.settled('instances', 'foreign');
      done.push({ answerMs, deployedMs: performance.now() - began });
      await delay(Math.max(0, 1000 / FOREIGN_PER_SECOND - (performance.now() - began)));
    }
  })();
  try {
    await Promise.race([work(), writing]);
  } finally {
    over.abort();
    await writing;
  }
  return done;
}

function figures(writes: readonly ForeignWrite[]): number[] {
  const answers = writes.map(({ answerMs }) => answerMs);
  const deployed = writes.map(({ deployedMs }) => deployedMs);
  return [
    writes.length,
    percentile(answers, 0.5),
    percentile(answers, 0.99),
    percentile(deployed, 0.5),
    percentile(deployed, 0.99),
  ];
}

async function records(): Promise<{ count: number }> {
  const [row] = await engine.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM runs r JOIN objects o ON o.uid::text = r.object_uid WHERE o.name LIKE 'app%'`,
  );
  return { count: row?.count ?? 0 };
}
