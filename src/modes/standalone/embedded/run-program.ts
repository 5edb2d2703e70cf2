import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { deadlineAfter } from './deadline.js';
import type { Account } from './account.js';

/** How a program ended. `output` is the last part of what it printed on both streams. */
export interface ProgramResult {
  code: number | null;
  output: string;
}

export interface RunOptions {
  /** Run as this account; as our own when it is left out or is our own. */
  account?: Account;
  /** The cluster that the program works on; it finds it under `clusterPath`. */
  cluster?: string;
  /** What the program reads from its standard input; nothing when left out. */
  input?: string;
  /** Longest time in ms; after it the program is killed and the call rejects. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

const OUTPUT_LIMIT = 16_384;

/**
 * The environment of every PostgreSQL program: nothing of ours, because PG* variables, a locale or a time zone of
 * the caller would change what the program does.
 */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** `uid` and `gid` for spawn, where the program runs as another account than ours. */
export function identityOf(account: Account | undefined): { uid?: number; gid?: number } {
  return account?.dropped ? { uid: account.uid, gid: account.gid } : {};
}

/** The descriptor under which a program that works on a cluster has the folder open. */
const CLUSTER_FD = 3;

/**
 * The path by which PostgreSQL names its cluster. As root we hand it the opened folder instead of a name: its account
 * need not be able to walk there, so the cluster may lie below a private home such as /root, and the data directory
 * stays closed to that account. (Its working directory would not do: before version 16 the programs leave it and
 * come back by name.)
 */
export function clusterPath(account: Account, cluster: string): string {
  return account.dropped ? `/proc/self/fd/${CLUSTER_FD}` : cluster;
}

/** Opens the cluster's folder for a program to be started, and closes our side of it afterwards. */
export function withClusterOpen<T>(cluster: string | undefined, start: (fourth: number | 'ignore') => T): T {
  if (cluster === undefined) return start('ignore');
  const fd = openSync(cluster, 'r');
  try {
    return start(fd);
  } finally {
    closeSync(fd);
  }
}

/** Runs a program to its end. Rejects when it cannot be started, takes too long, or the signal aborts. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProgramResult> {
  // Not spawn's own time-out: its timer outlives a program that cannot be started, and holds up the process.
  const deadline = deadlineAfter(options.timeoutMs ?? 60_000, options.signal);
  const ended = new Promise<ProgramResult>((resolve, reject) => {
    const child = withClusterOpen(options.cluster, (fourth) =>
      spawn(file, args, {
        ...identityOf(options.account),
        cwd: '/',
        env: cleanEnvironment(),
        stdio: ['pipe', 'pipe', 'pipe', fourth],
        killSignal: 'SIGKILL',
        signal: deadline.signal,
      }),
    );
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    // A program that ends without reading its input is not a failure of ours.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output: output.trim() }));
  });
  return ended.finally(() => deadline.end());
}
