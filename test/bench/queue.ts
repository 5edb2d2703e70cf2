// The job manager's lanes beside graphile-worker: the same database, the same pool size and concurrency, in turns.
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger, makeWorkerUtils, run, type Runner, type WorkerEvents } from 'graphile-worker';
import { Pool } from 'pg';
import { createDataSource } from '../../src/modes/standalone/database/data-source.js';
import { Database } from '../../src/modes/standalone/database/database.js';
import { migrate } from '../../src/modes/standalone/database/migrate.js';
import {
  orderLanes,
  PostgresJobStore,
  PostgresWakeups,
} from '../../src/modes/standalone/stores/jobs/index.js';
import type { LaneOrder } from '../../src/modules/queue/index.js';
import { startManager } from '../standalone/queue/manager.js';
import { describeMachine, median, postgresText, quick, say, table } from './lib/report.js';
import { startServer } from './lib/server.js';

const JOBS = quick ? 500 : 5_000;
const MANY = quick ? 2_000 : 100_000;
const ROUNDS = quick ? 1 : 3;
const PAGE = 500;
const CONCURRENCY = 24;
const POOL = 10;
/** So many runs at once leave enough completions to fold into one statement. */
const BATCHED_CONCURRENCY = 500;
const HALF_HOUR_MS = 1_800_000;

const server = await startServer();
const dataSource = createDataSource({ connection: address(), poolSize: POOL, applicationName: 'bench' });
await dataSource.initialize();
await migrate(dataSource);
const database = new Database(dataSource);
const pool = new Pool({ ...server.connection, max: POOL });
pool.on('error', () => undefined);
pool.on('connect', (client) => client.on('error', () => undefined));
const logger = new Logger(() => () => undefined);
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();

try {
  say(`queue: no-op lanes beside no-op jobs of graphile-worker, ${POOL} connections each`);
  describeMachine(postgresText(server.version));
  const rates = new Map<string, { ours: number[]; theirs: number[] }>();
  for (let round = 0; round < ROUNDS; round++) {
    await compare(rates, `enqueue, ${PAGE} at a time`, JOBS, enqueuePages, addPages);
    await compare(rates, 'enqueue, one at a time, 16 clients', JOBS, enqueueSingly, addSingly);
    const ready = { ours: enqueuePages, theirs: addPages };
    await compare(
      rates,
      `run, each alone, concurrency ${CONCURRENCY}`,
      JOBS,
      runOurs(CONCURRENCY, true),
      runTheirs(false),
      ready,
    );
    await compare(
      rates,
      'run, batched',
      JOBS * 4,
      runOurs(BATCHED_CONCURRENCY, false),
      runTheirs(true),
      ready,
    );
  }
  await compare(
    rates,
    `run, each alone, ${MANY} fresh, no ANALYZE`,
    JOBS,
    runOurs(CONCURRENCY, true),
    runTheirs(false),
    {
      ours: () => enqueuePages(MANY),
      theirs: () => addPages(MANY),
    },
  );
  await compare(
    rates,
    `run, batched, ${MANY} fresh, no ANALYZE`,
    MANY,
    runOurs(BATCHED_CONCURRENCY, false),
    runTheirs(true),
    {
      ours: () => enqueuePages(MANY),
      theirs: () => addPages(MANY),
    },
  );
  table(
    ['per second (median)', 'symphony', 'graphile-worker', 'ratio'],
    [...rates].map(([what, { ours, theirs }]) => [
      what,
      median(ours),
      median(theirs),
      median(ours) / median(theirs),
    ]),
  );
} finally {
  await utils.release();
  await pool.end();
  await dataSource.destroy();
  await server.stop();
}

/** @returns what is to be ended afterwards, which does not count */
type Work = (count: number) => Promise<(() => Promise<unknown>) | void>;

/** One after the other, never together; both begin with empty tables, whose statistics know nothing. */
async function compare(
  rates: Map<string, { ours: number[]; theirs: number[] }>,
  what: string,
  count: number,
  ours: Work,
  theirs: Work,
  before: { ours: Work; theirs: Work } = { ours: () => Promise.resolve(), theirs: () => Promise.resolve() },
): Promise<void> {
  const row = rates.get(what) ?? { ours: [], theirs: [] };
  rates.set(what, row);
  for (const [work, prepare, into] of [
    [ours, before.ours, row.ours],
    [theirs, before.theirs, row.theirs],
  ] as const) {
    await server.sql('TRUNCATE lanes, lane_payloads, workers, graphile_worker._private_jobs CASCADE');
    await prepare(count);
    await delay(200);
    const began = performance.now();
    const end = await work(count);
    into.push((count / (performance.now() - began)) * 1000);
    await end?.();
  }
}

function orders(from: number, to: number): LaneOrder[] {
  return Array.from({ length: to - from }, (_, i) => ({
    kind: 'Instance',
    namespace: 'default',
    name: `lane-${from + i}`,
    generation: 1,
    action: 'update',
    cause: 'person',
  }));
}

async function enqueuePages(count: number): Promise<void> {
  for (let i = 0; i < count; i += PAGE) await orderLanes(database, orders(i, Math.min(count, i + PAGE)));
}

async function addPages(count: number): Promise<void> {
  for (let i = 0; i < count; i += PAGE) {
    const jobs = Array.from({ length: Math.min(PAGE, count - i) }, () => ({
      identifier: 'noop',
      payload: {},
    }));
    await utils.addJobs(jobs);
  }
}

async function enqueueSingly(count: number): Promise<void> {
  await clients(count, (i) => orderLanes(database, orders(i, i + 1)));
}

async function addSingly(count: number): Promise<void> {
  await clients(count, () => utils.addJob('noop', {}));
}

async function clients(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

/** Claims, runs and completes lanes by the product's job manager until `count` have run; each is due again in half an hour. */
function runOurs(concurrency: number, alone: boolean): Work {
  return async (count) => {
    const wakeups = new PostgresWakeups({ connection: server.connection });
    const store = new PostgresJobStore(database, () => Promise.resolve(), wakeups, { alone });
    let done = 0;
    const complete = store.complete.bind(store);
    let ended: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (ended = resolve));
    store.complete = async (claim, outcome) => {
      const result = await complete(claim, outcome);
      if (++done >= count) ended();
      return result;
    };
    const reason = { code: 'Succeeded', message: 'Succeeded' } as const;
    const manager = startManager(store, () => ({ result: 'succeeded', reason, nextRunMs: HALF_HOUR_MS }), {
      concurrency,
    });
    await all;
    return async () => {
      await manager.stop();
      await wakeups.stop();
    };
  };
}

/** @param batched as graphile-worker's page on performance advises: a local queue, completions in batches */
function runTheirs(batched: boolean): Work {
  return async (count) => {
    let done = 0;
    let ended: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (ended = resolve));
    const events: WorkerEvents = new EventEmitter();
    events.on('job:complete', () => {
      if (++done >= count) ended();
    });
    const preset = batched
      ? { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
      : {};
    const runner: Runner = await run({
      pgPool: pool,
      logger,
      noHandleSignals: true,
      preset: { worker: { concurrentJobs: CONCURRENCY, pollInterval: 200, ...preset.worker } },
      taskList: { noop: () => undefined },
      events,
    });
    await all;
    return () => runner.stop();
  };
}

function address(): { host: string; port: number; user: string; password?: string; database: string } {
  const { host, port, user, password, database } = server.connection;
  return { host, port, user, database, ...(typeof password === 'string' ? { password } : {}) };
}
