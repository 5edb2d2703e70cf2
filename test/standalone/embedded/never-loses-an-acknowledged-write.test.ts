import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { silentLog } from '../../support/postgres-server.js';
import { Engine, eventually, postmasterOf, removeFolder, temporaryFolder } from './engine.js';

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});
afterAll(() => removeFolder(root));

async function stored(dataDir: string): Promise<number[]> {
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  try {
    const client = new Client(database.connection);
    await client.connect();
    const { rows } = await client.query<{ n: string }>('SELECT n FROM acknowledged ORDER BY n');
    await client.end();
    return rows.map((row) => Number(row.n));
  } finally {
    await database.stop();
  }
}

test('kill -9 of the engine, again and again: every acknowledged write is there, without gaps', async () => {
  const dataDir = join(root, 'engine');
  for (let round = 1; round <= 3; round++) {
    const engine = Engine.run(dataDir, { mode: 'write' });
    await engine.writes(200);
    await engine.kill('SIGKILL');
    const rows = await stored(dataDir);
    const last = engine.written.at(-1) ?? 0;
    expect(rows.length).toBeGreaterThanOrEqual(last);
    expect(rows).toEqual(rows.map((_, index) => index + 1));
  }
});

test('kill -9 of the postmaster: the engine starts it again and every acknowledged write is there', async () => {
  const dataDir = join(root, 'postmaster');
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  try {
    const exits: (number | null)[] = [];
    database.onExit((exit) => exits.push(exit.code));
    let acknowledged = 0;
    for (let round = 1; round <= 3; round++) {
      const client = new Client(database.connection);
      client.on('error', () => undefined);
      await client.connect();
      await client.query('CREATE TABLE IF NOT EXISTS acknowledged (n bigint PRIMARY KEY)');
      const writing = (async () => {
        for (;;) {
          await client.query('INSERT INTO acknowledged VALUES ($1)', [acknowledged + 1]);
          acknowledged++;
        }
      })().catch(() => undefined);
      await eventually('some writes', () => Promise.resolve(acknowledged >= round * 100));
      process.kill(await postmasterOf(database.cluster), 'SIGKILL');
      await writing;
      await client.end().catch(() => undefined);
      await eventually('the server is back', async () => {
        const probe = new Client(database.connection);
        probe.on('error', () => undefined);
        try {
          await probe.connect();
          const { rows } = await probe.query<{ n: string }>('SELECT max(n) AS n FROM acknowledged');
          expect(Number(rows[0]?.n)).toBeGreaterThanOrEqual(acknowledged);
          acknowledged = Number(rows[0]?.n);
          return true;
        } catch (error) {
          if (!/ECONN|ENOENT|terminated|starting up|not yet accepting|shutting down/.test(String(error)))
            throw error;
          return false;
        } finally {
          await probe.end().catch(() => undefined);
        }
      });
      expect(exits).toHaveLength(round);
    }
  } finally {
    await database.stop();
  }
});

test('nothing that protects the data is off', async () => {
  const database = await EmbeddedPostgres.start({ dataDir: join(root, 'settings'), logger: silentLog });
  const client = new Client(database.connection);
  try {
    await client.connect();
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums']) {
      const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
      expect([name, rows[0]?.value]).toEqual([name, 'on']);
    }
    // A commit waits for the disk: the server counts its syncs of the log.
    await client.query('CREATE TABLE t (a int)');
    const syncs = `SELECT coalesce(sum(fsyncs), 0)::int AS n FROM pg_stat_io WHERE object = 'wal'`;
    await client.query('SELECT pg_stat_force_next_flush()');
    const before = await client.query<{ n: number }>(syncs);
    for (let n = 0; n < 20; n++) await client.query('INSERT INTO t VALUES (1)');
    await client.query('SELECT pg_stat_force_next_flush()');
    const after = await client.query<{ n: number }>(syncs);
    expect((after.rows[0]?.n ?? 0) - (before.rows[0]?.n ?? 0)).toBeGreaterThanOrEqual(20);
  } finally {
    await client.end();
    await database.stop();
  }
});
