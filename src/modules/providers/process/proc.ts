import { readdir, readFile } from 'node:fs/promises';

/**
 * What tells one process from a later one with the same id: boot id and start time in clock ticks. Undefined where the
 * system does not show it (no /proc), or when the process is gone, also when it is dead and nobody has buried it yet.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The second field is the program's name in parentheses and may contain anything; field 3 is the state, 22 the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state = '', ticks = ''] = [fields[0], fields[19]];
    return ticks === '' || 'ZX'.includes(state) ? undefined : `${boot.trim()}:${ticks}`;
  } catch {
    return undefined;
  }
}

/** Whether the process that had this id and start time is still there. */
export async function isSameProcess(pid: number, startTime: string): Promise<boolean> {
  return startTime !== '' && (await startTimeOf(pid)) === startTime;
}

/** Ids of the processes that carry `variable` (`NAME=value`) in the environment they were started with. Linux only. */
export async function processesWith(variable: string): Promise<number[]> {
  const entries = await readdir('/proc').catch(() => []);
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(variable) ? pid : 0;
    }),
  );
  return found.filter((pid) => pid !== 0 && pid !== process.pid);
}

/** Sends a signal to a process, or to a group (`-pid`); 0 only asks. False when there is nobody to receive it. */
export function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
