import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { mockTopology } from '../../support/engine.js';
import type { Answer } from '../../support/engine-client.js';
import { EngineProcess } from '../../support/engine-process.js';
import { describeWithSmallDisk, SmallDisk } from '../../support/small-disk.js';

const ALL_MS = 240_000;
const MIB = 1024 * 1024;
/** The server's own pauses between tries are up to ten seconds. */
const BACK_MS = 60_000;

await describeWithSmallDisk('the disk of the embedded database is full', () => {
  let disk: SmallDisk;
  let engine: EngineProcess;
  /** What was answered by 200, by name. */
  const accepted = new Map<string, string>();
  let written = 0;

  beforeAll(async () => {
    disk = await SmallDisk.mount(320);
    engine = await EngineProcess.start({
      dataDir: join(disk.folder, 'data'),
      args: ['--reconcile-interval=0', '--queue-lease-seconds=2'],
    });
    await engine.target('t', { topologies: mockTopology('full-disk') });
    await engine.solution('app', [{ name: 'c', properties: { version: '1' } }]);
    await engine.instance('i', { solution: 'app', target: { name: 't' } });
    await engine.settled('instances', 'i');
  }, ALL_MS);
  afterAll(async () => {
    await engine?.kill();
    await disk?.unmount();
  });

  async function write(kilobytes: number): Promise<Answer<{ code?: string; detail?: string }>> {
    const name = `big-${written++}`;
    // What cannot be compressed needs the room that it seems to need.
    const text = randomBytes(kilobytes * 768).toString('base64');
    const components = [{ name: 'c', properties: { text } }];
    const answer = await engine.request<{ code?: string; detail?: string }>('POST', `/solutions/${name}`, {
      spec: { components },
    });
    if (answer.status === 200) accepted.set(name, text);
    return answer;
  }

  async function allThere(): Promise<void> {
    for (const [name, text] of accepted) {
      const found = await engine.get('solutions', name);
      const components = found?.spec['components'] as { properties: { text: string } }[] | undefined;
      expect([name, components?.[0]?.properties.text === text]).toEqual([name, true]);
    }
  }

  function readiness(text: string): { ready: boolean; reason?: string } | undefined {
    const { checks } = JSON.parse(text) as { checks: { name: string; ready: boolean; reason?: string }[] };
    return checks.find(({ name }) => name === 'database');
  }

  async function worksAgain(version: string): Promise<void> {
    await engine.until(
      'the engine to be ready',
      async () => ((await engine.readyz())?.status === 200 ? true : undefined),
      async () => engine.output.slice(-2_000),
      BACK_MS,
    );
    expect((await write(64)).status).toBe(200);
    await allThere();
    await engine.solution('app', [{ name: 'c', properties: { version } }]);
    await engine.until('the fan-out', async () => {
      const plan = await engine.request('GET', '/instances/i/plan');
      return plan.status === 200 && !plan.text.includes('"update"') ? true : undefined;
    });
    await engine.settled('instances', 'i');
    const { faults } = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
    expect([engine.alive, faults]).toEqual([true, { unhandledRejection: 0, uncaughtException: 0 }]);
  }

  test(
    'tables find no room: writes are refused with the reason, reads go on, and all is well when there is room again',
    async () => {
      for (let n = 0; n < 5; n++) expect((await write(64)).status).toBe(200);
      await disk.fill(2 * MIB);
      const refused = await engine.until('a write to be refused', async () => {
        const answer = await write(512);
        return answer.status === 200 ? undefined : answer;
      });
      expect([refused.status, refused.body.code]).toEqual([503, 'DatabaseFull']);
      expect(refused.body.detail).toContain('Free some space');
      expect(refused.headers.get('retry-after')).toBe('2');

      const ready = await engine.readyz();
      expect(ready?.status).toBe(503);
      expect(readiness(ready?.text ?? '')).toMatchObject({
        ready: false,
        reason: expect.stringContaining('disk of the database is full') as string,
      });
      expect((await fetch(`${engine.url}/healthz`)).status).toBe(200);
      await allThere();
      expect((await engine.request('GET', '/instances')).status).toBe(200);

      await disk.empty();
      await worksAgain('2');
    },
    ALL_MS,
  );

  test(
    'its log finds no room, so that the server ends: it is started again until there is room',
    async () => {
      await disk.fill(0);
      const connection = await EmbeddedPostgres.runningConnection(join(disk.folder, 'data'));
      if (!connection) throw new Error('the database does not run');
      const client = new Client(connection);
      client.on('error', () => undefined);
      await client.connect();
      // Each switch needs a new segment of 16 MiB, once those that were kept for it are used up.
      const panic = await (async () => {
        for (let n = 0; n < 40; n++) {
          await client.query(`SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()`);
          await disk.fill(0);
        }
      })().catch((error: unknown) => String(error));
      await client.end().catch(() => undefined);
      expect(panic, 'the server has ended').toBeDefined();
      await engine.until(
        'the reason to be told',
        async () => {
          const answer = await engine.readyz();
          const reason = answer && readiness(answer.text)?.reason;
          return reason?.includes('disk of the database is full') ? true : undefined;
        },
        async () => [(await engine.readyz())?.text, engine.output.slice(-3_000)],
      );
      const answer = await write(1);
      expect([answer.status, answer.body.code]).toEqual([503, 'DatabaseFull']);
      expect((await engine.request('GET', '/instances')).status).toBe(503);
      expect((await fetch(`${engine.url}/healthz`)).status).toBe(200);

      expect(engine.output).toMatch(/PANIC.*No space left on device/);

      await disk.empty();
      await worksAgain('3');
    },
    ALL_MS,
  );
});
