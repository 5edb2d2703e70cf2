import { readFile } from 'node:fs/promises';

/** Ticks of the processor clock per second that Linux shows in /proc: 100 on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds, by user and kernel: of the process, and of its children that have ended. */
export async function processorTime(pid: number): Promise<{ own: number; ended: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold spaces; the numbers begin behind it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = Number.NaN, system = Number.NaN, endedUser = Number.NaN, endedSystem = Number.NaN] =
    fields.slice(11, 15);
  return {
    own: (user + system) / TICKS_PER_SECOND,
    ended: (endedUser + endedSystem) / TICKS_PER_SECOND,
  };
}

/** In MiB: now, and the highest so far. NaN where there is no /proc. */
export async function memoryOf(pid: number): Promise<{ rss: number; peakRss: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return { rss: kib('VmRSS') / 1024, peakRss: kib('VmHWM') / 1024 };
}
