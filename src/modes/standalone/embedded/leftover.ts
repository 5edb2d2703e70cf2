import { readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedDatabaseError } from './errors.js';
import type { Log } from './postgres-process.js';
import { kindOfProcess, processesOf } from './processes.js';

const LOOK_AGAIN_MS = 50;
/** How long each signal may take to work before the next, harsher one. */
const PATIENCE_MS = { SIGINT: 15_000, SIGQUIT: 5_000, SIGKILL: 5_000 } as const;

/**
 * Ends what a dead engine left of the cluster's server, so that a new one can start. Call it only while holding the
 * lock of the data directory: then no live engine owns what is found. A postmaster that still runs is shut down (not
 * adopted: it would have no guard); backends that outlived a killed postmaster are ended; a `postmaster.pid` that
 * names a zombie or a reused process id is removed, because PostgreSQL would take it for a live server.
 */
export async function endLeftover(cluster: string, log: Log, signal?: AbortSignal): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const folder = await realpath(cluster);
  // The id is negative for a single-user server.
  const pid = Math.abs(Number.parseInt(text, 10));
  if (Number.isInteger(pid) && pid > 1 && (await kindOfProcess(pid, folder)) === 'of cluster') {
    log.warn(`ending the database server ${pid} that a killed engine left behind`);
    await endAll(
      async () => ((await kindOfProcess(pid, folder)) === 'of cluster' ? [pid] : []),
      'SIGINT',
      signal,
    );
  }
  // Without a postmaster its children end by themselves within moments, unless one is deep in its work.
  await endAll(() => processesOf(folder), 'SIGQUIT', signal);
  const kind = await kindOfProcess(pid, folder);
  // When no process has the id, PostgreSQL replaces the file itself, after checks of its own that we want to keep.
  if (kind === 'zombie' || kind === 'other') await rm(pidFile, { force: true });
}

async function endAll(
  find: () => Promise<number[]>,
  first: keyof typeof PATIENCE_MS,
  signal: AbortSignal | undefined,
): Promise<void> {
  let left = await find();
  const signals = (['SIGINT', 'SIGQUIT', 'SIGKILL'] as const).slice(first === 'SIGINT' ? 0 : 1);
  for (const name of signals) {
    for (const pid of left) tryKill(pid, name);
    const end = performance.now() + PATIENCE_MS[name];
    // Nothing reports the end of a process that is not our child, so look.
    while (left.length > 0 && performance.now() < end) {
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
      left = await find();
    }
  }
  if (left.length > 0) {
    throw new EmbeddedDatabaseError(
      `Processes of an earlier database server do not end (${left.join(', ')}): end them, then start the engine again.`,
    );
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime; the next look tells.
  }
}
