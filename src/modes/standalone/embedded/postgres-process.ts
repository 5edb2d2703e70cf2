import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadlineAfter } from './deadline.js';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { EmbeddedDatabaseError } from './errors.js';
import { GUARD_SCRIPT, GUARD_STOP_MS } from './guard.js';
import { cleanEnvironment, clusterPath, identityOf, withClusterOpen } from './run-program.js';

/** Where messages go; pino's logger is one. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface LaunchOptions {
  binaries: Binaries;
  account: Account;
  /** The folder of the cluster. */
  cluster: string;
  /** Settings that override those of the cluster's files. */
  settings: Readonly<Record<string, string>>;
  log: Log;
  /** Longest time in ms from start to ready: crash recovery after much work takes minutes on a slow disk. */
  readyMs?: number;
  signal?: AbortSignal | undefined;
}

/** A running PostgreSQL server. */
export interface PostgresProcess {
  /** Resolves when the server has ended, with what it printed last; never rejects. */
  readonly exited: Promise<{ code: number | null; lastLines: string }>;
  /** Ends the server, orderly if it can be, and resolves when it is gone. */
  stop(): Promise<void>;
}

const READY = 'database system is ready to accept connections';

/**
 * Starts the server under the guard (`guard.ts`) and waits until it accepts connections.
 * @throws EmbeddedDatabaseError with what the server printed, when it ends before that or takes too long.
 */
export async function launchPostgres(options: LaunchOptions): Promise<PostgresProcess> {
  const { binaries, account, cluster, log } = options;
  const settings = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = [binaries.postgres, '-D', clusterPath(account, cluster), ...settings];
  const child = withClusterOpen(cluster, (fourth) =>
    spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'database-guard', ...command], {
      ...identityOf(account),
      cwd: '/',
      env: cleanEnvironment(),
      stdio: ['pipe', 'ignore', 'pipe', fourth],
      // A session of its own: Ctrl-C in a terminal goes to the engine, which drains before it stops the database.
      detached: true,
    }),
  );
  child.stdin?.on('error', () => undefined);

  const lines: string[] = [];
  const ready = new Promise<void>((resolve) => {
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 20) lines.shift();
      if (line.startsWith('FATAL') || line.startsWith('PANIC')) log.warn(`postgres: ${line}`);
      else log.debug(`postgres: ${line}`);
      if (line.includes(READY)) resolve();
    });
  });
  const exited = new Promise<{ code: number | null; lastLines: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, lastLines: error.message }));
    // Not 'close': a child of a killed postmaster may hold the pipe open for a moment longer.
    child.once('exit', (code) => {
      // Should only the shell have been killed, this makes the guard end the server.
      child.stdin?.destroy();
      setImmediate(() => resolve({ code, lastLines: lines.join('\n') }));
    });
  });
  const server: PostgresProcess = {
    exited,
    async stop() {
      child.stdin?.end();
      const waiting = new AbortController();
      const late = sleep(GUARD_STOP_MS, 'late', { signal: waiting.signal }).catch(() => 'ended');
      const outcome = await Promise.race([exited, late]);
      waiting.abort();
      if (outcome === 'late') throw new EmbeddedDatabaseError('The embedded database did not end in time.');
    },
  };

  const readyMs = options.readyMs ?? 300_000;
  const deadline = deadlineAfter(readyMs, options.signal);
  const given = new Promise<'late'>((resolve) => {
    if (deadline.signal.aborted) resolve('late');
    deadline.signal.addEventListener('abort', () => resolve('late'), { once: true });
  });
  const outcome = await Promise.race([ready, exited, given]).finally(() => deadline.end());
  if (outcome === undefined) return server;
  if (outcome === 'late') {
    await server.stop();
    options.signal?.throwIfAborted();
    throw new EmbeddedDatabaseError(
      `The embedded database was not ready within ${readyMs} ms. It said:\n${lines.join('\n')}`,
    );
  }
  throw new EmbeddedDatabaseError(
    `The embedded database ended while it started (exit code ${outcome.code}). It said:\n${outcome.lastLines}`,
  );
}
