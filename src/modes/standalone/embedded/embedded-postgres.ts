import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@symphony/model';
import { Client } from 'pg';
import { chooseAccount, ownName, type Account } from './account.js';
import { findBinaries } from './binaries.js';
import { createCluster, ROLE, setPassword, writeAccessRules, type ClusterOptions } from './cluster.js';
import {
  chooseBinaries,
  existingClusters,
  installCluster,
  makePassword,
  openDataDir,
  readPassword,
  socketFits,
} from './data-dir.js';
import { DataDirLock } from './data-dir-lock.js';
import { EmbeddedDatabaseError } from './errors.js';
import { freePort } from './free-port.js';
import { endLeftover } from './leftover.js';
import { launchPostgres, type Log, type PostgresProcess } from './postgres-process.js';

/** What `pg` needs to connect. `host` is the folder of a socket, or 127.0.0.1 with a password. */
export interface EmbeddedConnection {
  host: string;
  port: number;
  user: string;
  database: string;
  password?: string;
}

export interface EmbeddedOptions {
  /** Folder that holds everything; it is made when absent. */
  dataDir: string;
  logger: Log;
  /** Gives up the start, or ends the waiting between restarts. */
  signal?: AbortSignal | undefined;
}

/** How the server ended, when nobody had asked it to. */
export interface UnexpectedExit {
  code: number | null;
  lastLines: string;
}

const SOCKET_PORT = 5432;
/** Programs copied for an account that cannot reach ours: where it can, and only root can write. */
const ROOT_COPIES = '/var/cache/symphony/postgres';
const LONGEST_PAUSE_MS = 10_000;
/** The system's words, which the server repeats (`lc_messages` is C). */
const NO_SPACE = /No space left on device|Disk quota exceeded/;
/** A server that ran this long had started well: the next failure is a new one. */
const SETTLED_MS = 60_000;

/** Nothing here trades safety for speed. Given on the command line, they win over the cluster's own files. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  password_encryption: 'scram-sha-256',
  max_connections: '100',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '',
  // Statements, their errors and details may hold users' values: they stay out of the log.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  // Compiling queries costs our short ones more than it gains.
  jit: 'off',
} as const;

/**
 * A PostgreSQL server of our own in the data directory, for as long as this process lives. The data directory is
 * locked meanwhile. When the server dies it is started again, with growing pauses, until `stop()`; the connection stays
 * the same, so a pool that reconnects is all that its users need.
 */
export class EmbeddedPostgres {
  private readonly stopping = new AbortController();
  private readonly listeners = new Set<(exit: UnexpectedExit) => void>();
  private readonly supervised: Promise<void>;
  private stopped: Promise<void> | undefined;
  private full = false;

  private constructor(
    readonly connection: Readonly<EmbeddedConnection>,
    /** Folder of the cluster. */
    readonly cluster: string,
    private readonly lock: DataDirLock,
    private server: PostgresProcess,
    private readonly relaunch: (signal: AbortSignal) => Promise<PostgresProcess>,
    private readonly log: Log,
  ) {
    this.supervised = this.supervise();
  }

  /**
   * Locks the data directory, makes the cluster when there is none, ends what a killed engine left, starts the server
   * and makes the database `symphony` in it.
   * @throws DataDirLockedError, DatabaseMajorMismatchError, or EmbeddedDatabaseError
   */
  static async start({ dataDir: path, logger: log, signal }: EmbeddedOptions): Promise<EmbeddedPostgres> {
    signal?.throwIfAborted();
    const dataDir = await openDataDir(path);
    const lock = await DataDirLock.take(dataDir);
    let server: PostgresProcess | undefined;
    try {
      const options = await prepareCluster(dataDir, log, signal);
      await endLeftover(options.cluster, log, signal);
      await writeAccessRules(options.cluster, options.account, ownName());
      const started = await startServer(options, dataDir, log);
      server = started.server;
      await ensureDatabase(started.connection);
      const relaunch = async (stopSignal: AbortSignal): Promise<PostgresProcess> => {
        await endLeftover(options.cluster, log, stopSignal);
        return await launch(options, started.connection, log, stopSignal);
      };
      log.info(`embedded PostgreSQL ${options.binaries.version} is ready in ${options.cluster}`);
      return new EmbeddedPostgres(started.connection, options.cluster, lock, server, relaunch, log);
    } catch (error) {
      await server?.stop();
      lock.release();
      throw error;
    }
  }

  /**
   * The connection to the server that another process runs on this data directory, for tools beside a running
   * engine; undefined when none is up. It does not check that the server answers.
   */
  static async runningConnection(dataDir: string): Promise<EmbeddedConnection | undefined> {
    for (const { folder } of await existingClusters(dataDir)) {
      const pidFile = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => '');
      const [, , , port, socketFolder, , , status] = pidFile.split('\n').map((line) => line.trim());
      if (status !== 'ready' || port === undefined) continue;
      const password = socketFolder ? undefined : await readPassword(dataDir);
      return connectionOf(folder, Number(port), password);
    }
    return undefined;
  }

  /** The server is down, and what it said last is that its disk is full. */
  get diskFull(): boolean {
    return this.full;
  }

  /** Calls back each time that the server ends without `stop()`; it is being restarted then. Returns the way out. */
  onExit(callback: (exit: UnexpectedExit) => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  /** Shuts the server down, waits until it is gone, and unlocks the data directory. Safe to call more than once. */
  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private async shutDown(): Promise<void> {
    this.stopping.abort();
    try {
      await this.server.stop();
      await this.supervised;
      // A restart may have succeeded at this very moment.
      await this.server.stop();
    } finally {
      this.lock.release();
    }
  }

  private async supervise(): Promise<void> {
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      const since = performance.now();
      const exit = await this.server.exited;
      if (signal.aborted) return;
      if (performance.now() - since > SETTLED_MS) failures = 0;
      this.full = NO_SPACE.test(exit.lastLines);
      const why = this.full ? 'its disk is full' : `exit code ${exit.code}`;
      this.log.error(`the embedded database ended by itself (${why}); starting it again`);
      for (const listener of this.listeners) this.tell(listener, exit);
      for (let running = false; !running && !signal.aborted;) {
        running = await this.restart(failures++, signal);
      }
    }
  }

  /** @returns whether the server runs again */
  private async restart(failures: number, signal: AbortSignal): Promise<boolean> {
    try {
      // At once the first time: most likely one process was killed, and every request waits.
      const longest = failures === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(failures, 10));
      await sleep(longest * (0.5 + Math.random() / 2), undefined, { signal });
      this.server = await this.relaunch(signal);
      this.full = false;
      this.log.info('the embedded database runs again');
      return true;
    } catch (error) {
      this.full = NO_SPACE.test(messageOf(error));
      if (!signal.aborted)
        this.log.error(`the embedded database does not start again yet: ${messageOf(error)}`);
      return false;
    }
  }

  private tell(listener: (exit: UnexpectedExit) => void, exit: UnexpectedExit): void {
    try {
      listener(exit);
    } catch (error) {
      this.log.error(`a listener of the embedded database failed: ${messageOf(error)}`);
    }
  }
}

async function prepareCluster(dataDir: string, log: Log, signal?: AbortSignal): Promise<ClusterOptions> {
  const clusters = await existingClusters(dataDir);
  const account = await chooseAccount(clusters[0]?.uid);
  const copyTo = account.dropped ? ROOT_COPIES : join(dataDir, 'postgres', 'programs');
  const binaries = chooseBinaries(dataDir, await findBinaries({ account, copyTo, signal }), clusters);
  const existing = clusters.find((cluster) => cluster.major === binaries.major);
  if (existing) return { binaries, account, cluster: existing.folder, signal };
  log.info(`making a PostgreSQL ${binaries.version} database in ${dataDir}`);
  const cluster = await installCluster(dataDir, binaries.major, (folder) =>
    createCluster({ binaries, account, cluster: folder, signal }),
  );
  return { binaries, account, cluster, signal };
}

async function startServer(
  options: ClusterOptions,
  dataDir: string,
  log: Log,
): Promise<{ server: PostgresProcess; connection: EmbeddedConnection }> {
  if (socketFits(options.cluster)) {
    const connection = connectionOf(options.cluster, SOCKET_PORT);
    return { connection, server: await launch(options, connection, log, options.signal) };
  }
  const password =
    (await readPassword(dataDir)) ??
    (await makePassword(dataDir, async (fresh) => {
      await setPassword(options, fresh);
    }));
  for (let attempt = 1; ; attempt++) {
    const connection = connectionOf(options.cluster, await freePort(), password);
    try {
      return { connection, server: await launch(options, connection, log, options.signal) };
    } catch (error) {
      // Somebody took the port between our look and the server's.
      if (attempt === 5 || !messageOf(error).includes('Address already in use')) throw error;
    }
  }
}

function connectionOf(cluster: string, port: number, password?: string): EmbeddedConnection {
  return { host: password === undefined ? cluster : '127.0.0.1', port, user: ROLE, database: ROLE, password };
}

function launch(
  options: { binaries: ClusterOptions['binaries']; account: Account; cluster: string },
  connection: EmbeddedConnection,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<PostgresProcess> {
  const overTcp = connection.password !== undefined;
  return launchPostgres({
    ...options,
    settings: {
      ...SETTINGS,
      port: String(connection.port),
      listen_addresses: overTcp ? '127.0.0.1' : '',
      // Relative to the cluster's folder, which PostgreSQL itself insists on being closed to others.
      unix_socket_directories: overTcp ? '' : '.',
      unix_socket_permissions: '0700',
    },
    log,
    signal,
  });
}

async function ensureDatabase(connection: EmbeddedConnection): Promise<void> {
  const client = new Client({ ...connection, database: 'postgres', connectionTimeoutMillis: 30_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [
      connection.database,
    ]);
    if (rowCount === 0) await client.query(`CREATE DATABASE "${connection.database}" TEMPLATE template0`);
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `The embedded database runs but does not let the engine in: ${messageOf(error)}.`,
      undefined,
      { cause: error },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
