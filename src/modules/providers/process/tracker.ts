import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isPlainObject, messageOf } from '@symphony/model';
import { isSameProcess, processesWith, signalTo, startTimeOf } from './proc.js';

/** Environment variable by which the children of one run, and theirs, are recognised. */
export const RUN_VARIABLE = 'SYMPHONY_RUN';

/** Told of every program that the engine runs, so that one that outlives the engine can be found and ended. */
export interface ProcessTracker {
  /** Before the process exists: a crash right after its start must leave a trace, too. */
  starting(run: { marker: string; folder: string }): Promise<void>;
  /** `startTime` is empty where the system does not tell it. The process leads a process group of its own. */
  started(process: { marker: string; pid: number; startTime: string }): Promise<void>;
  /** The run is over and everything of it was ended or left on purpose. */
  ended(marker: string): Promise<void>;
}

interface Trace {
  marker: string;
  /** Where the run keeps its files. */
  folder: string;
  engine: { pid: number; startTime: string };
  pid?: number;
  startTime?: string;
}

const traceFolder = (root: string): string => join(root, 'processes');
const MARKER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** One small file per running program below `<root>/processes`. */
export class FileProcessTracker implements ProcessTracker {
  private readonly traces = new Map<string, Trace>();
  private engine: Promise<string | undefined> | undefined;

  constructor(private readonly root: string) {}

  async starting({ marker, folder }: { marker: string; folder: string }): Promise<void> {
    await privateFolder(this.root);
    await mkdir(traceFolder(this.root), { recursive: true, mode: 0o700 });
    this.engine ??= startTimeOf(process.pid);
    const engine = { pid: process.pid, startTime: (await this.engine) ?? '' };
    await this.write({ marker, folder, engine });
  }

  async started({
    marker,
    pid,
    startTime,
  }: {
    marker: string;
    pid: number;
    startTime: string;
  }): Promise<void> {
    const trace = this.traces.get(marker);
    if (trace) await this.write({ ...trace, pid, startTime });
  }

  async ended(marker: string): Promise<void> {
    this.traces.delete(marker);
    await rm(join(traceFolder(this.root), `${marker}.json`), { force: true });
  }

  private async write(trace: Trace): Promise<void> {
    this.traces.set(trace.marker, trace);
    const path = join(traceFolder(this.root), `${trace.marker}.json`);
    // Renamed into place: half a trace would hide a process.
    await writeFile(`${path}.new`, JSON.stringify(trace), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}

/** What `killLeftovers` did. */
export interface Leftovers {
  /** Ids of the processes that were ended. */
  killed: number[];
  /** Ids of those that were still there after the wait; what they do may overlap with what is done anew. */
  survived: number[];
  /** Sentences about what could not be done. */
  problems: string[];
}

/**
 * Ends the programs that an engine which is gone left running, and removes their files. To be called at start, before
 * any work: a step that was cut short is redone, and must not overlap with its former self.
 *
 * A process counts as left over when it carries the marker of a traced run in its environment, or when it is the traced
 * process by id and start time; then its whole group goes. Traces of an engine that still lives are left alone. Without
 * /proc nothing is killed, as an id alone may belong to somebody else by now.
 *
 * @param stagingRoot the folder that the tracker of the former engine wrote to
 * @param waitMs how long to wait for killed processes to be gone
 */
export async function killLeftovers(stagingRoot: string, waitMs = 2_000): Promise<Leftovers> {
  const result: Leftovers = { killed: [], survived: [], problems: [] };
  for (const name of await readdir(traceFolder(stagingRoot)).catch(() => [])) {
    if (!name.endsWith('.json')) continue;
    const path = join(traceFolder(stagingRoot), name);
    try {
      const trace = parseTrace(await readFile(path, 'utf8'));
      if (!trace) result.problems.push(`${path} is not a trace of a process; it was removed.`);
      else if (await isSameProcess(trace.engine.pid, trace.engine.startTime)) continue;
      else await endRun(stagingRoot, trace, waitMs, result);
      await rm(path, { force: true });
    } catch (error) {
      result.problems.push(`${path}: ${messageOf(error)}`);
    }
  }
  return result;
}

async function endRun(root: string, trace: Trace, waitMs: number, result: Leftovers): Promise<void> {
  const variable = `${RUN_VARIABLE}=${trace.marker}`;
  const pids = new Set(await processesWith(variable));
  if (trace.pid && (await isSameProcess(trace.pid, trace.startTime ?? ''))) {
    pids.add(trace.pid);
    signalTo(-trace.pid, 'SIGKILL');
  }
  for (const pid of pids) signalTo(pid, 'SIGKILL');
  result.killed.push(...pids);
  // These are not our children, so no event tells of their end.
  const deadline = Date.now() + waitMs;
  let left = await processesWith(variable);
  while (left.length > 0 && Date.now() < deadline) {
    for (const pid of left) signalTo(pid, 'SIGKILL');
    await delay(20);
    left = await processesWith(variable);
  }
  result.survived.push(...left);
  await removeRunFiles(root, trace.folder, trace.marker);
}

/** Removes what a run wrote: its own folder below the root, or its files in a folder that the configuration named. */
export async function removeRunFiles(root: string, folder: string, marker: string): Promise<void> {
  if (folder === join(root, marker)) {
    await rm(folder, { recursive: true, force: true });
    return;
  }
  for (const suffix of ['', '-ref', '-output', '-get-output']) {
    await rm(join(folder, `${marker}${suffix}.json`), { recursive: true, force: true });
  }
}

function parseTrace(text: string): Trace | undefined {
  const value: unknown = JSON.parse(text);
  if (!isPlainObject(value) || !isPlainObject(value['engine'])) return undefined;
  const { marker, folder, engine, pid, startTime } = value;
  if (typeof marker !== 'string' || !MARKER.test(marker) || typeof folder !== 'string') return undefined;
  return {
    marker,
    folder,
    engine: { pid: Number(engine['pid']), startTime: String(engine['startTime']) },
    ...(Number.isSafeInteger(pid) && Number(pid) > 1
      ? { pid: Number(pid), startTime: String(startTime) }
      : {}),
  };
}

/**
 * Makes sure that a folder is there and ours alone.
 * @throws Error when somebody else made it, or others may read it: in a shared temporary folder anybody can be first.
 */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  const mine = process.getuid === undefined || found.uid === process.getuid();
  const closed = process.platform === 'win32' || (found.mode & 0o077) === 0;
  if (found.isDirectory() && mine && closed) return;
  throw new Error(
    `The folder ${path} must belong to the user of the engine and be closed to all others (mode 0700).`,
  );
}
