import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { silentLog } from '../../support/postgres-server.js';
import { IS_ROOT, NOBODY, NOBODY_CAN_RUN, removeFolder, temporaryFolder } from './engine.js';

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});
afterAll(() => removeFolder(root));

async function connects(connection: object): Promise<boolean> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What another account gets when it opens the socket itself: nothing, or the code of the error. */
function openedBy(account: { uid: number; gid: number }, socket: string): string {
  const program =
    "require('node:net').connect(process.argv[1]).on('connect',()=>{console.log('connected');process.exit()}).on('error',e=>{console.log(e.code);process.exit()})";
  return spawnSync(process.execPath, ['-e', program, socket], { ...account, encoding: 'utf8' }).stdout.trim();
}

test('over the socket: no TCP port, no secret, and a door that is closed to other accounts', async () => {
  const dataDir = join(root, 'socket');
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  try {
    expect(await connects(database.connection)).toBe(true);
    expect(database.connection).not.toHaveProperty('password', expect.anything());
    const client = new Client(database.connection);
    await client.connect();
    const { rows } = await client.query("SELECT current_setting('listen_addresses') AS tcp");
    await client.end();
    expect(rows).toEqual([{ tcp: '' }]);
    for (const path of [dataDir, join(dataDir, 'postgres'), database.cluster]) {
      expect([path, (await stat(path)).mode & 0o077]).toEqual([path, 0]);
    }
    if (NOBODY_CAN_RUN) {
      expect(openedBy(NOBODY, join(database.cluster, '.s.PGSQL.5432'))).toBe('EACCES');
    }
    await expect(connects({ ...database.connection, user: 'postgres' })).rejects.toThrow(
      'no pg_hba.conf entry',
    );
  } finally {
    await database.stop();
  }
});

test.runIf(IS_ROOT)(
  'over the socket: who gets through the door is still asked by the kernel who he is',
  async () => {
    const dataDir = join(root, 'peer');
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    try {
      // The owner of the cluster, which every other service of that account is too. Let it come as far as the socket.
      const { uid, gid } = await stat(database.cluster);
      const program = `
      const { Client } = require(${JSON.stringify(join(process.cwd(), 'node_modules/pg'))});
      process.setgroups([]); process.setgid(${gid});
      process.chdir(${JSON.stringify(database.cluster)}); process.setuid(${uid});
      new Client({ host: '/proc/self/cwd', port: 5432, user: 'symphony', database: 'symphony' })
        .connect().then(() => console.log('connected'), (e) => console.log(e.message)).then(() => process.exit());`;
      const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
      expect(stdout).toContain('Peer authentication failed');
    } finally {
      await database.stop();
    }
  },
);

test('over TCP, where the path is too long for a socket: only with the password', async () => {
  const dataDir = join(root, 'x'.repeat(100), 'data');
  for (const round of ['fresh', 'again']) {
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    try {
      const { connection } = database;
      expect([round, connection.host]).toEqual([round, '127.0.0.1']);
      expect(await connects(connection)).toBe(true);
      await expect(connects({ ...connection, password: '' })).rejects.toThrow(/password/);
      await expect(connects({ ...connection, password: 'symphony' })).rejects.toThrow(
        'password authentication',
      );
      await expect(connects({ ...connection, user: 'postgres' })).rejects.toThrow('no pg_hba.conf entry');
      const file = join(dataDir, 'secrets', 'postgres-password');
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await readFile(file, 'utf8')).trim()).toBe(connection.password);
      expect(await EmbeddedPostgres.runningConnection(dataDir)).toEqual(connection);
    } finally {
      await database.stop();
    }
  }
});

test('a lost password file is made anew', async () => {
  const dataDir = join(root, 'y'.repeat(100));
  const first = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  await first.stop();
  await writeFile(join(dataDir, 'secrets', 'postgres-password'), '');
  const second = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  expect(await connects(second.connection)).toBe(true);
  expect(second.connection.password).not.toBe(first.connection.password);
  await second.stop();
});

test('a data directory that others can write is refused', async () => {
  const dataDir = join(root, 'open');
  await mkdir(dataDir);
  await chmod(dataDir, 0o777);
  await expect(EmbeddedPostgres.start({ dataDir, logger: silentLog })).rejects.toThrow(
    'can be written by other users',
  );
});
