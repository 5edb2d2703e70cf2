import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EngineProcess } from '../../support/engine-process.js';
import { startTestServer, type TestServer } from '../../support/postgres-server.js';
import { declareLoad, Load } from './load.js';

const ALL_MS = 180_000;
const CUTS = 60;

let server: TestServer;
let engine: EngineProcess;
let load: Load;
beforeEach(async () => {
  server = await startTestServer();
  engine = await EngineProcess.start({ databaseUrl: server.adminUrl, args: ['--reconcile-interval=0'] });
  await declareLoad(engine);
  load = new Load(engine);
  await load.goesOn(50);
}, ALL_MS);
afterEach(async () => {
  await load.end();
  await engine.kill();
  await server.stop();
});

async function isWell(): Promise<void> {
  await load.end();
  await engine.ready();
  // A request in mid-transaction cannot know what became of it; it says so.
  for (const { status, text } of load.failures) {
    expect([status, text.includes('"DatabaseUnavailable"')], text).toEqual([503, true]);
  }
  await load.nothingLost(engine);
  const { faults } = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
  expect([engine.alive, faults]).toEqual([true, { unhandledRejection: 0, uncaughtException: 0 }]);
}

test(
  'connections are cut one by one, whatever they are at: nothing is lost, hardly anybody notices',
  async () => {
    const observer = new Client({ connectionString: server.adminUrl });
    await observer.connect();
    const kinds = new Map<string, number>();
    for (let cut = 0; cut < CUTS; cut++) {
      // The one that has lived for the longest: all have their turn, also those for leases and for notifications.
      const { rows } = await observer.query<{ kind: string; ended: boolean }>(
        `SELECT regexp_replace(application_name, '[0-9]+', '') AS kind, pg_terminate_backend(pid) AS ended
         FROM (SELECT pid, application_name FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
               ORDER BY backend_start LIMIT 1) AS oldest`,
      );
      for (const { kind } of rows) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      await load.goesOn(5);
    }
    await observer.end();
    expect([...kinds.keys()].sort()).toEqual(['', 'symphony-', 'symphony--leases']);
    expect(load.failures.length).toBeLessThanOrEqual(CUTS);
    await isWell();
  },
  ALL_MS,
);

test(
  'the server is restarted three times: requests meanwhile get a reason, and work goes on by itself',
  async () => {
    for (let time = 0; time < 3; time++) {
      const failures = load.failures.length;
      await server.pause();
      await engine.until('requests to be refused', async () =>
        load.failures.length > failures ? true : undefined,
      );
      await server.resume();
      await load.goesOn(20);
    }
    await isWell();
  },
  ALL_MS,
);
