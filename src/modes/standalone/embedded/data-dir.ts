import { lstat, mkdir, readFile, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '@symphony/model';
import type { Binaries } from './binaries.js';
import { syncFolder } from './cluster.js';
import { DatabaseMajorMismatchError, EmbeddedDatabaseError } from './errors.js';

/** A cluster that is in the data directory. */
export interface ExistingCluster {
  major: number;
  folder: string;
  /** The account that owns its files, and so must run it. */
  uid: number;
}

/** How the folders of clusters in the making are named. */
const PARTIAL = 'new-';

/** Removes a folder in which another process still makes files: tries again for about twenty seconds. */
const REMOVE_WHILE_WRITTEN = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 };

/** Longest path of a socket, in bytes, that every system takes (macOS 103, Linux 107), with a margin. */
const SOCKET_PATH_LIMIT = 100;

/**
 * Makes the data directory (0700) or checks the one that is there: ours, and not writable by others, who could put
 * files of theirs in place of ours. What the engine keeps in it is closed to others whatever its own mode.
 * @returns its real path
 */
export async function openDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `The data directory ${path} cannot be made (${messageOf(error)}): give another one with --data-dir.`,
    );
  }
  const { uid, mode } = await stat(path);
  if (uid !== process.getuid?.()) {
    throw new EmbeddedDatabaseError(
      `The data directory ${path} belongs to another user (user id ${uid}): run the engine as that user, or give another directory with --data-dir.`,
    );
  }
  if ((mode & 0o022) !== 0) {
    throw new EmbeddedDatabaseError(
      `The data directory ${path} can be written by other users: run "chmod go-w" on it, or give another directory with --data-dir.`,
    );
  }
  return await realpath(path);
}

/** The folder of the cluster of one major version. A cluster is in no other, so an upgrade never touches the old. */
function clusterFolder(dataDir: string, major: number): string {
  return join(dataDir, 'postgres', String(major));
}

/** The complete clusters in the data directory, the newest first. */
export async function existingClusters(dataDir: string): Promise<ExistingCluster[]> {
  const names = await readdir(join(dataDir, 'postgres')).catch(() => []);
  const found: ExistingCluster[] = [];
  for (const name of names.filter((name) => /^\d+$/.test(name))) {
    const folder = join(dataDir, 'postgres', name);
    const major = Number.parseInt(await readFile(join(folder, 'PG_VERSION'), 'utf8').catch(() => ''), 10);
    if (Number.isInteger(major)) found.push({ major, folder, uid: (await lstat(folder)).uid });
  }
  return found.sort((a, b) => b.major - a.major);
}

/**
 * The programs to run: those that fit the newest cluster that any fit, or the preferred ones for an empty data
 * directory.
 * @throws DatabaseMajorMismatchError when there are clusters and no programs for any: nothing is touched then
 */
export function chooseBinaries(
  dataDir: string,
  available: readonly [Binaries, ...Binaries[]],
  clusters: readonly ExistingCluster[],
): Binaries {
  const [newest] = clusters;
  if (newest === undefined) return available[0];
  for (const { major } of clusters) {
    const fitting = available.find((binaries) => binaries.major === major);
    if (fitting) return fitting;
  }
  const have = available.map((binaries) => binaries.major).join(' and ');
  throw new DatabaseMajorMismatchError(
    `The data directory ${dataDir} holds a database of PostgreSQL ${newest.major}, and this engine found PostgreSQL ${have}. ` +
      'Nothing was changed. To move the data, run in this order: ' +
      `SYMPHONY_POSTGRES_BIN=<folder with initdb and postgres of version ${newest.major}> node dist/main backup --data-dir ${dataDir} --file symphony.backup && ` +
      `mv ${newest.folder} ${newest.folder}.old && ` +
      `node dist/main restore --data-dir ${dataDir} --file symphony.backup ` +
      '(docs/embedded-database.md, "Major upgrades").',
  );
}

/**
 * Makes the folder of a new cluster under a passing name and gives it its own when `make` has finished, so that an
 * engine killed in between never leaves half a cluster that looks like one.
 */
export async function installCluster(
  dataDir: string,
  major: number,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const parent = join(dataDir, 'postgres');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  // Holding the lock of the data directory we are the only one here: these are of engines that were killed. An
  // initdb of theirs may write on for a moment, so each has a name of its own; once its folder is gone it ends.
  for (const name of (await readdir(parent)).filter((entry) => entry.startsWith(PARTIAL))) {
    await rm(join(parent, name), REMOVE_WHILE_WRITTEN).catch(() => undefined);
  }
  const partial = join(parent, `${PARTIAL}${randomBytes(6).toString('hex')}`);
  await make(partial);
  const folder = clusterFolder(dataDir, major);
  await rename(partial, folder);
  await syncFolder(parent);
  await syncFolder(dataDir);
  return folder;
}

/** Whether the path of the socket in the cluster's folder fits what systems allow. */
export function socketFits(cluster: string): boolean {
  return Buffer.byteLength(join(cluster, '.s.PGSQL.5432')) <= SOCKET_PATH_LIMIT;
}

function passwordFile(dataDir: string): string {
  return join(dataDir, 'secrets', 'postgres-password');
}

/** The password of the role for connections over loopback, or undefined when none was made yet. */
export async function readPassword(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(passwordFile(dataDir), 'utf8')).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a random password, has it set, then keeps it in `secrets/` (0700, the file 0600). In this order: a crash in
 * between leaves no file, and the next start makes a new one.
 */
export async function makePassword(
  dataDir: string,
  set: (password: string) => Promise<void>,
): Promise<string> {
  const password = randomBytes(32).toString('base64url');
  await set(password);
  await mkdir(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 });
  const path = passwordFile(dataDir);
  await writeFile(`${path}.new`, `${password}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return password;
}
