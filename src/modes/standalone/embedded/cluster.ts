import { chmod, chown, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@symphony/model';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { EmbeddedDatabaseError } from './errors.js';
import { clusterPath, runProgram } from './run-program.js';

/** The role that owns everything, and the name of the one database. */
export const ROLE = 'symphony';

export interface ClusterOptions {
  binaries: Binaries;
  account: Account;
  /** The folder of the cluster. */
  cluster: string;
  signal?: AbortSignal | undefined;
}

/**
 * Makes a new cluster in an empty or absent folder: UTF-8, the order of bytes as collation (the same on every
 * machine and in every version), data checksums on. Its files are on the disk when this resolves.
 * @param extra further options of initdb
 */
export async function createCluster(options: ClusterOptions, extra: readonly string[] = []): Promise<void> {
  const { binaries, account, cluster, signal } = options;
  await mkdir(cluster, { recursive: true, mode: 0o700 });
  await chmod(cluster, 0o700);
  if (account.dropped) await giveTo(account, cluster);
  const { code, output } = await runProgram(
    binaries.initdb,
    [
      '-D',
      clusterPath(account, cluster),
      `--username=${ROLE}`,
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
      '--auth-local=peer',
      '--auth-host=scram-sha-256',
      ...extra,
    ],
    { account, cluster, timeoutMs: 300_000, signal },
  );
  if (code !== 0) {
    throw new EmbeddedDatabaseError(
      `The embedded database could not be made in ${cluster}. initdb said:\n${output}`,
    );
  }
}

/**
 * Writes who may connect, at every start, so that a cluster of an older release gets today's rules: over the socket
 * the account of the engine, vouched for by the kernel; over loopback the role with its password; nobody else.
 * @param osUser the name of the account of the engine
 */
export async function writeAccessRules(cluster: string, account: Account, osUser: string): Promise<void> {
  await write(
    join(cluster, 'pg_hba.conf'),
    `# Written by the engine at each start.\nlocal all ${ROLE} peer map=engine\nhost all ${ROLE} 127.0.0.1/32 scram-sha-256\n`,
    account,
  );
  await write(join(cluster, 'pg_ident.conf'), `engine "${osUser}" ${ROLE}\n`, account);
}

/**
 * Sets the password of the role while the server is down, through PostgreSQL's single-user mode: no window in which
 * a server listens without one.
 * @param password letters, digits, `-` and `_` only
 */
export async function setPassword(options: ClusterOptions, password: string): Promise<void> {
  const { binaries, account, cluster, signal } = options;
  const { code } = await runProgram(
    binaries.postgres,
    // Statements are not logged: this one has the password.
    ['--single', '-D', clusterPath(account, cluster), '-c', 'log_min_error_statement=panic', 'postgres'],
    { account, cluster, input: `ALTER ROLE ${ROLE} PASSWORD '${password}'\n`, timeoutMs: 300_000, signal },
  );
  if (code !== 0) {
    throw new EmbeddedDatabaseError(
      `The password of the embedded database could not be set (exit code ${code}).`,
    );
  }
}

/** Makes the names in a folder durable: without it a rename may be undone by a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function giveTo(account: Account, path: string): Promise<void> {
  try {
    await chown(path, account.uid, account.gid);
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `As root the embedded database runs as the user ${account.name}, but ${path} cannot be handed to that user (${messageOf(error)}): start the engine as a normal user, or give a PostgreSQL server with --database-url.`,
    );
  }
}

async function write(path: string, text: string, account: Account): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (account.dropped) await giveTo(account, path);
}
