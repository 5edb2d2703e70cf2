import { readFile, readdir, readlink } from 'node:fs/promises';
import { runProgram } from './run-program.js';

/**
 * What a process id stands for, seen from a cluster: nothing, a process that has ended and is not reaped yet, a
 * process that works in the cluster's folder, or one that has nothing to do with it (the id was reused).
 */
export type ProcessKind = 'none' | 'zombie' | 'of cluster' | 'other';

/** @param cluster the real path of the cluster's folder */
export async function kindOfProcess(pid: number, cluster: string): Promise<ProcessKind> {
  if (process.platform !== 'linux') return await kindByPs(pid, cluster);
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return 'none';
  // The name of the program, in parentheses, may hold anything; the state follows the last one.
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  if (state === 'Z' || state === 'X') return 'zombie';
  // Every PostgreSQL process has its cluster as working directory. One that we may not look at is not ours.
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return folder === cluster ? 'of cluster' : 'other';
}

/** The ids of all live processes that work in the cluster's folder; on macOS none are found. */
export async function processesOf(cluster: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const ids = (await readdir('/proc'))
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const kinds = await Promise.all(ids.map((pid) => kindOfProcess(pid, cluster)));
  return ids.filter((_, index) => kinds[index] === 'of cluster');
}

async function kindByPs(pid: number, cluster: string): Promise<ProcessKind> {
  const { code, output } = await runProgram('ps', ['-o', 'stat=,command=', '-p', String(pid)]);
  if (code !== 0 || output === '') return 'none';
  if (output.startsWith('Z')) return 'zombie';
  return output.includes(cluster) ? 'of cluster' : 'other';
}
