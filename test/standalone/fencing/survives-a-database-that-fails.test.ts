import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EngineProcess } from '../../support/engine-process.js';
import { createTestDatabase } from '../../support/postgres.js';
import { startTestServer } from '../../support/postgres-server.js';
import { ScriptWorld } from '../../support/script-world.js';
import { expectNoFaults, ScriptedFleet } from '../../support/scripted-fleet.js';

const ALL_MS = 240_000;

let world: ScriptWorld;
let cleanups: (() => Promise<unknown>)[];
beforeEach(async () => {
  world = await ScriptWorld.make();
  cleanups = [() => world.dispose()];
});
afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

/** An engine that may run the scripts of the world; killed at the end of the test. */
async function engineAt(databaseUrl: string): Promise<EngineProcess> {
  const engine = await EngineProcess.start({ databaseUrl, args: [world.flag] });
  cleanups.push(() => engine.kill());
  return engine;
}

describe('the database', () => {
  test(
    'ends all connections, again and again: all converge, none overlaps, the process lives',
    async () => {
      const database = await createTestDatabase('terminated');
      cleanups.push(() => database.drop());
      const engine = await engineAt(database.url);
      await world.setPace(0.2);
      const fleet = new ScriptedFleet(world, 25);
      const names = await fleet.declare(engine, 100);
      const observer = await connect(database.url);
      let ended = 0;
      for (let applied = 10; applied <= 70; applied += 15) {
        await engine.until(`${applied} to be applied`, async () =>
          (await world.applied()) >= applied ? true : undefined,
        );
        const { rowCount } = await observer.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
        ended += rowCount ?? 0;
      }
      expect(ended).toBeGreaterThan(5);

      await engine.ready();
      await fleet.converges(engine, names);
      await fleet.isRemoved(engine, names);
      await expectNoFaults(engine);
      expect(engine.alive).toBe(true);
    },
    ALL_MS,
  );

  test(
    'is away for 5 seconds: /readyz and requests say so, and afterwards work goes on by itself',
    async () => {
      const server = await startTestServer();
      cleanups.push(() => server.stop());
      const engine = await engineAt(server.adminUrl);
      await world.setPace(0.2);
      const fleet = new ScriptedFleet(world, 10);
      const names = await fleet.declare(engine, 60);
      await engine.until('work to be under way', async () =>
        (await world.applied()) >= 10 ? true : undefined,
      );

      await server.pause();
      const readiness = await engine.until('/readyz to turn', async () => {
        const answer = await engine.readyz();
        return answer?.status === 503 ? answer : undefined;
      });
      expect(JSON.parse(readiness.text)).toMatchObject({
        ready: false,
        checks: expect.arrayContaining([
          expect.objectContaining({ name: 'database', ready: false }),
        ]) as unknown,
      });
      const from = performance.now();
      while (performance.now() - from < 5000) {
        for (const [method, path, body] of [
          ['GET', '/instances'],
          ['POST', '/instances/new', { spec: { solution: 'app', target: { name: 't0' } } }],
          ['GET', '/solution/queue?instance=i0000'],
        ] as const) {
          const answer = await engine.request<{ code: string }>(method, path, body);
          expect([method, path, answer.status, answer.body.code]).toEqual([
            method,
            path,
            503,
            'DatabaseUnavailable',
          ]);
          expect(answer.headers.get('content-type')).toContain('application/problem+json');
        }
      }
      await server.resume();

      await engine.ready();
      await fleet.converges(engine, names);
      // What was answered by 503 was not accepted.
      expect(await engine.get('instances', 'new')).toBeUndefined();
      await fleet.isRemoved(engine, names);
      await expectNoFaults(engine);
    },
    ALL_MS,
  );
});

/** A connection of the test's own, which may be ended under it. */
async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  cleanups.push(() => client.end());
  return client;
}
