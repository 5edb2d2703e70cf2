import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { nativeFolder, platformPackage } from '../../../src/modes/standalone/embedded/binaries.js';
import {
  backupDatabase,
  DatabaseMajorMismatchError,
  EmbeddedPostgres,
  restoreDatabase,
} from '../../../src/modes/standalone/embedded/index.js';
import { linkLibraries } from '../../../src/modes/standalone/embedded/native-package.js';
import { silentLog } from '../../support/postgres-server.js';
import { removeFolder, temporaryFolder } from './engine.js';

const OLD_PACKAGE = nativeFolder('postgres14-linux-x64');
const NEW_PACKAGE = nativeFolder(platformPackage());

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => removeFolder(root));

test('a cluster of a major version that no program here can open: refused, named, untouched', async () => {
  const dataDir = join(root, 'thirteen');
  const cluster = join(dataDir, 'postgres', '13');
  await mkdir(cluster, { recursive: true, mode: 0o700 });
  await writeFile(join(cluster, 'PG_VERSION'), '13\n');
  const starting = EmbeddedPostgres.start({ dataDir, logger: silentLog });
  await expect(starting).rejects.toBeInstanceOf(DatabaseMajorMismatchError);
  await expect(starting).rejects.toThrow(/PostgreSQL 13.*SYMPHONY_POSTGRES_BIN=.*backup.*mv .*restore/);
  expect(await readFile(join(cluster, 'PG_VERSION'), 'utf8')).toBe('13\n');
});

test.skipIf(OLD_PACKAGE === undefined || NEW_PACKAGE === undefined)(
  'the way of a major upgrade, as the documentation has it: nothing is lost',
  async () => {
    if (OLD_PACKAGE === undefined || NEW_PACKAGE === undefined) return;
    await linkLibraries(OLD_PACKAGE);
    await linkLibraries(NEW_PACKAGE);
    const dataDir = join(root, 'upgrade');
    const file = join(root, 'symphony.backup');

    vi.stubEnv('SYMPHONY_POSTGRES_BIN', join(OLD_PACKAGE, 'bin'));
    const old = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    await withClient(old, async (client) => {
      expect(await majorOf(client)).toBe(14);
      await client.query('CREATE TABLE kept (n int PRIMARY KEY)');
      await client.query('INSERT INTO kept SELECT generate_series(1, 1000)');
    });
    await old.stop();

    vi.stubEnv('SYMPHONY_POSTGRES_BIN', join(NEW_PACKAGE, 'bin'));
    await expect(EmbeddedPostgres.start({ dataDir, logger: silentLog })).rejects.toThrow(
      'Nothing was changed',
    );

    vi.stubEnv('SYMPHONY_POSTGRES_BIN', join(OLD_PACKAGE, 'bin'));
    const again = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    await withClient(again, (client) => backupDatabase(client, file, { engineVersion: 'x' }));
    await again.stop();

    await rename(join(dataDir, 'postgres', '14'), join(dataDir, 'postgres', '14.old'));
    vi.stubEnv('SYMPHONY_POSTGRES_BIN', join(NEW_PACKAGE, 'bin'));
    const fresh = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    await withClient(fresh, async (client) => {
      expect(await majorOf(client)).toBeGreaterThan(14);
      const migrate = async (): Promise<void> =>
        void (await client.query('CREATE TABLE kept (n int PRIMARY KEY)'));
      await restoreDatabase(client, file, { migrate });
      const { rows } = await client.query('SELECT count(*)::int AS n, sum(n)::int AS total FROM kept');
      expect(rows).toEqual([{ n: 1000, total: 500_500 }]);
    });
    await fresh.stop();
  },
);

test.skipIf(OLD_PACKAGE === undefined)(
  'an older cluster is opened by fitting programs when the machine has some',
  async () => {
    if (OLD_PACKAGE === undefined) return;
    await linkLibraries(OLD_PACKAGE);
    const dataDir = join(root, 'fitting');
    vi.stubEnv('SYMPHONY_POSTGRES_BIN', join(OLD_PACKAGE, 'bin'));
    await (await EmbeddedPostgres.start({ dataDir, logger: silentLog })).stop();
    vi.stubEnv('SYMPHONY_POSTGRES_BIN', '');
    // As an installed PostgreSQL on the PATH, behind the newer ones that are preferred.
    vi.stubEnv('PATH', `${process.env['PATH'] ?? ''}:${join(OLD_PACKAGE, 'bin')}`);
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    await withClient(database, async (client) => expect(await majorOf(client)).toBe(14));
    await database.stop();
  },
);

async function withClient(
  database: EmbeddedPostgres,
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  const client = new Client(database.connection);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function majorOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ number: number }>(
    `SELECT current_setting('server_version_num')::int AS number`,
  );
  return Math.floor((rows[0]?.number ?? 0) / 10_000);
}
