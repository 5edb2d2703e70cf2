import { spawn } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DataDirLockedError, EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { kindOfProcess } from '../../../src/modes/standalone/embedded/processes.js';
import { silentLog } from '../../support/postgres-server.js';
import { allGone, Engine, eventually, postmasterOf, removeFolder, temporaryFolder } from './engine.js';

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});
afterAll(() => removeFolder(root));

test('a second process is refused with one sentence, and the first goes on', async () => {
  const dataDir = join(root, 'two');
  const first = Engine.run(dataDir, { mode: 'write' });
  const { cluster } = await first.ready();
  const postmaster = await postmasterOf(cluster);
  const second = Engine.run(dataDir);
  const { name, message } = await second.failure();
  expect(name).toBe('DataDirLocked');
  expect(message).toContain(dataDir);
  expect(message).toContain(`process id ${first.child.pid}`);
  expect(message).not.toContain('\n');
  expect(await second.exited).toBe(1);
  await first.writes(first.written.length + 20);
  expect(await postmasterOf(cluster)).toBe(postmaster);
  await first.kill('SIGTERM');
});

test('of two that start at the same moment on an empty directory, one is refused', async () => {
  const dataDir = join(root, 'race');
  const outcomes = await Promise.allSettled(
    [1, 2, 3].map(() => EmbeddedPostgres.start({ dataDir, logger: silentLog })),
  );
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(started).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(DataDirLockedError);
  }
  await Promise.all(started.map((database) => database.stop()));
});

test('removing the lock file does not open the way', async () => {
  const dataDir = join(root, 'removed');
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  await rm(join(dataDir, 'lock'));
  await expect(EmbeddedPostgres.start({ dataDir, logger: silentLog })).rejects.toBeInstanceOf(
    DataDirLockedError,
  );
  await database.stop();
});

test('what kill -9 leaves is no obstacle, at once', async () => {
  const dataDir = join(root, 'stale');
  const engine = Engine.run(dataDir, { mode: 'write' });
  await engine.writes(20);
  engine.child.kill('SIGKILL');
  await engine.exited;
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  await database.stop();
});

test.runIf(process.platform === 'linux')(
  'a server whose engine and guard were all killed is ended first',
  async () => {
    const dataDir = join(root, 'orphan');
    const engine = Engine.run(dataDir, { mode: 'write' });
    const { cluster } = await engine.ready();
    await engine.writes(20);
    const orphan = await postmasterOf(cluster);
    for (const pid of await guardsOf(orphan)) process.kill(pid, 'SIGKILL');
    await engine.kill('SIGKILL');
    // Nothing ends it now: this is the proof that it really is an orphan.
    expect(await kindOfProcess(orphan, cluster)).toBe('of cluster');
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    expect(await postmasterOf(cluster)).not.toBe(orphan);
    expect(['none', 'zombie']).toContain(await kindOfProcess(orphan, cluster));
    const client = new Client(database.connection);
    await client.connect();
    const { rows } = await client.query<{ n: string }>('SELECT max(n) AS n FROM acknowledged');
    expect(Number(rows[0]?.n)).toBeGreaterThanOrEqual(engine.written.at(-1) ?? 0);
    await client.end();
    await database.stop();
  },
);

test('a postmaster.pid whose number now belongs to another process is no obstacle', async () => {
  const dataDir = join(root, 'reused');
  const engine = Engine.run(dataDir);
  const { cluster } = await engine.ready();
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8');
  await engine.kill('SIGKILL');
  await allGone(cluster);
  const bystander = spawn('sleep', ['600']);
  await eventually('it runs', () => Promise.resolve(bystander.pid !== undefined));
  await writeFile(join(cluster, 'postmaster.pid'), text.replace(/^\d+/, String(bystander.pid)));
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  expect(bystander.exitCode).toBeNull();
  expect(bystander.signalCode).toBeNull();
  await database.stop();
  bystander.kill();
});

/** The shell that the server runs under and its watching child: all that shares the server's session and is a shell. */
async function guardsOf(postmaster: number): Promise<number[]> {
  const session = await sessionOf(postmaster);
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (/^(ba|da)?sh$/.test(name.trim()) && (await sessionOf(pid)) === session) found.push(pid);
  }
  expect(found).toHaveLength(2);
  return found;
}

async function sessionOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.replace(/^.*\) /, '').split(' ')[3];
}
