import { chmod, cp, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseAccount } from '../../../src/modes/standalone/embedded/account.js';
import {
  findBinaries,
  nativeFolder,
  platformPackage,
} from '../../../src/modes/standalone/embedded/binaries.js';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { runProgram } from '../../../src/modes/standalone/embedded/run-program.js';
import { silentLog } from '../../support/postgres-server.js';
import { allGone, Engine, IS_ROOT, NOBODY, NOBODY_CAN_RUN, removeFolder, temporaryFolder } from './engine.js';

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
  await chmod(root, 0o755);
});
afterAll(() => removeFolder(root));

/** A copy of the installed package as npm unpacks it: without the links that its install script would make. */
async function unpackedPackage(name: string): Promise<string> {
  const folder = join(root, name);
  const native = nativeFolder(platformPackage());
  if (native === undefined) throw new Error(`${platformPackage()} is not installed`);
  await cp(join(native, '..'), folder, { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(join(folder, 'native', 'lib'), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(join(folder, 'native', 'lib', entry.name));
  }
  await chmod(folder, 0o755);
  return folder;
}

test('the package as npm unpacks it with install scripts off: the missing links are made', async () => {
  const folder = await unpackedPackage('links');
  const account = await chooseAccount();
  const before = await runProgram(join(folder, 'native', 'bin', 'postgres'), ['--version'], { account });
  expect(before.code).not.toBe(0);
  const [binaries] = await findBinaries({
    account,
    copyTo: join(root, 'unused'),
    packageName: join(folder, 'dist', 'index.js'),
  });
  expect(binaries.postgres).toBe(join(folder, 'native', 'bin', 'postgres'));
});

test.runIf(IS_ROOT)(
  'as root, a package below a private folder: the programs are copied to where they can run',
  async () => {
    const folder = await unpackedPackage('private');
    await chmod(folder, 0o700);
    const copyTo = join(root, 'copies');
    const account = await chooseAccount();
    const [binaries] = await findBinaries({ account, copyTo, packageName: join(folder, 'dist', 'index.js') });
    expect(binaries.postgres.startsWith(copyTo)).toBe(true);
    // Others may run the copies and not change them.
    expect((await stat(binaries.postgres)).mode & 0o777).toBe(0o755);
    expect((await stat(binaries.postgres)).uid).toBe(0);
    expect(await readdir(copyTo)).toHaveLength(1);
  },
);

test.runIf(IS_ROOT)('as root, a folder for copies that others can write is not trusted', async () => {
  const folder = await unpackedPackage('distrust');
  await chmod(folder, 0o700);
  const copyTo = join(root, 'open');
  await mkdir(copyTo);
  await chmod(copyTo, 0o777);
  const found = await findBinaries({
    account: await chooseAccount(),
    copyTo,
    packageName: join(folder, 'dist', 'index.js'),
  }).catch(() => []);
  expect(found.filter((binaries) => binaries.postgres.startsWith(copyTo))).toEqual([]);
  expect(await readdir(copyTo)).toEqual([]);
});

test.runIf(IS_ROOT)(
  'as root, a data directory below a private home: the server runs as another account',
  async () => {
    const home = join(root, 'home');
    await mkdir(home, { mode: 0o700 });
    const dataDir = join(home, 'data');
    const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
    expect((await stat(database.cluster)).uid).not.toBe(0);
    expect((await stat(dataDir)).uid).toBe(0);
    await database.stop();
  },
);

test.runIf(NOBODY_CAN_RUN)('as a normal user: started, killed, started again', async () => {
  const dataDir = await temporaryFolder(NOBODY);
  try {
    const first = Engine.run(dataDir, { mode: 'write', account: NOBODY });
    await first.writes(30);
    const { cluster } = await first.ready();
    await first.kill('SIGKILL');
    await allGone(cluster);
    const second = Engine.run(dataDir, { account: NOBODY });
    await second.ready();
    expect((await stat(cluster)).uid).toBe(NOBODY.uid);
    await second.kill('SIGTERM');
    expect(await second.exited).toBe(0);
  } finally {
    await removeFolder(dataDir);
  }
});

test.runIf(IS_ROOT)('as root, the data directory of another user: refused with the way out', async () => {
  const dataDir = await temporaryFolder(NOBODY);
  await expect(EmbeddedPostgres.start({ dataDir, logger: silentLog })).rejects.toThrow(
    /belongs to another user .* run the engine as that user/,
  );
  await removeFolder(dataDir);
});

test('no PostgreSQL at the named place: one sentence with the way out', async () => {
  const engine = Engine.run(join(root, 'none'), { env: { SYMPHONY_POSTGRES_BIN: join(root, 'nothing') } });
  const { name, message } = await engine.failure();
  expect(name).toBe('EmbeddedDatabaseFailed');
  expect(message).toContain('--database-url');
  expect(await engine.exited).toBe(1);
});

test('a start that is given up leaves nothing behind and may be repeated', async () => {
  const dataDir = join(root, 'given-up');
  const controller = new AbortController();
  const starting = EmbeddedPostgres.start({ dataDir, logger: silentLog, signal: controller.signal });
  setTimeout(() => controller.abort(), 300);
  await expect(starting).rejects.toThrow(/abort/i);
  const database = await EmbeddedPostgres.start({ dataDir, logger: silentLog });
  const client = new Client(database.connection);
  await client.connect();
  await client.end();
  await database.stop();
});
