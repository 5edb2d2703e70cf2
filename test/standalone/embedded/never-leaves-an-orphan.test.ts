import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { kindOfProcess } from '../../../src/modes/standalone/embedded/processes.js';
import { silentLog } from '../../support/postgres-server.js';
import { allGone, Engine, eventually, postmasterOf, removeFolder, temporaryFolder } from './engine.js';

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});
afterAll(() => removeFolder(root));

test('kill -9 of the engine: its database server is gone within seconds', async () => {
  const engine = Engine.run(join(root, 'killed'), { mode: 'write' });
  const { cluster } = await engine.ready();
  await engine.writes(50);
  await engine.kill('SIGKILL');
  // Two of them, and what a machine adds that does other things as well; it would live on for ever.
  expect(await allGone(cluster)).toBeLessThan(10_000);
});

test('kill -9 of the engine at any moment of its first start leaves nothing that runs and nothing that blocks', async () => {
  const dataDir = join(root, 'early');
  for (const delay of [250, 450, 650, 850]) {
    const engine = Engine.run(dataDir);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await engine.kill('SIGKILL');
    for (const name of await readdir(join(dataDir, 'postgres')).catch(() => [])) {
      await allGone(join(dataDir, 'postgres', name));
    }
  }
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  await database.stop();
  // Nothing half made stays beside the cluster.
  expect(await readdir(join(dataDir, 'postgres'))).toEqual([basename(database.cluster)]);
});

test('a cluster in the making that somebody still writes into does not stay beside the new one', async () => {
  const dataDir = join(root, 'written');
  const parent = join(dataDir, 'postgres');
  const partial = join(parent, 'new-0123456789ab');
  await mkdir(partial, { recursive: true });
  for (const folder of [dataDir, parent]) await chmod(folder, 0o700);
  // Many files, so that their removal takes long enough to be overtaken.
  const script = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); : > "$1/file$i" || exit; done';
  const writer = spawn('/bin/sh', ['-c', script, 'writer', partial], { stdio: 'ignore' });
  const ended = once(writer, 'exit');
  try {
    await eventually('it writes', async () => (await readdir(partial)).length > 3_000);
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    await database.stop();
    expect(await readdir(parent)).toEqual([basename(database.cluster)]);
  } finally {
    writer.kill('SIGKILL');
    await ended;
  }
});

test('an orderly stop ends the server cleanly and gives the data directory back', async () => {
  const dataDir = join(root, 'stopped');
  const engine = Engine.run(dataDir);
  const { cluster } = await engine.ready();
  const server = await postmasterOf(cluster);
  await engine.kill('SIGTERM');
  expect(await engine.exited).toBe(0);
  expect(await kindOfProcess(server, cluster)).not.toBe('of cluster');
  await allGone(cluster);
  // The server removes the file only after a clean shutdown.
  await expect(readFile(join(cluster, 'postmaster.pid'))).rejects.toThrow('ENOENT');
  await (await EmbeddedPostgres.start({ dataDir, logger: silentLog })).stop();
});

test.runIf(process.platform === 'linux')('Ctrl-C in a terminal does not reach the server', async () => {
  const database = await EmbeddedPostgres.start({ dataDir: join(root, 'session'), logger: silentLog });
  try {
    const stat = async (pid: number | string): Promise<string[]> =>
      (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
    const [, , ownGroup, ownSession] = await stat('self');
    const [, , group, session] = await stat(await postmasterOf(database.cluster));
    expect(group).not.toBe(ownGroup);
    expect(session).not.toBe(ownSession);
  } finally {
    await database.stop();
  }
});

test.runIf(process.platform === 'linux')(
  'a server that lost its shell is replaced, not doubled',
  async () => {
    const database = await EmbeddedPostgres.start({ dataDir: join(root, 'shell'), logger: silentLog });
    try {
      const first = await postmasterOf(database.cluster);
      const stat = (await readFile(`/proc/${first}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
      process.kill(Number(stat[1]), 'SIGKILL');
      await eventually('another server is up', async () => {
        const client = new Client(database.connection);
        client.on('error', () => undefined);
        try {
          await client.connect();
          return (await postmasterOf(database.cluster)) !== first;
        } catch {
          return false;
        } finally {
          await client.end().catch(() => undefined);
        }
      });
      expect(['none', 'zombie']).toContain(await kindOfProcess(first, database.cluster));
    } finally {
      await database.stop();
    }
  },
);

test('stop during a restart ends the server too', async () => {
  const database = await EmbeddedPostgres.start({ dataDir: join(root, 'race'), logger: silentLog });
  const died = new Promise((resolve) => database.onExit(resolve));
  process.kill(await postmasterOf(database.cluster), 'SIGKILL');
  await died;
  await database.stop();
  // Nobody would end one that was left: this process lives.
  await allGone(database.cluster);
});
