import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isPlainObject, messageOf } from '@symphony/model';
import { isSameProcess, processesWith, signalTo, startTimeOf } from './proc.js';

/** Environment variable by which the children of one run, and theirs, are recognised. */
export const RUN_VARIABLE = 'SYMPHONY_RUN';

/** What was done about programs that should not run any more. */
export interface Leftovers {
  /** Ids of the processes that were ended. */
  killed: number[];
  /** Ids of those that were still there after the wait; what they do may overlap with what is done anew. */
  survived: number[];
  /** Sentences about what could not be done. */
  problems: string[];
}

/** A run of a program that is about to begin. */
export interface TracedRun {
  marker: string;
  /** Where the run keeps its files. */
  folder: string;
  /** For whom it is, when its caller has that one for itself: whoever begins later for the same may end it. */
  subject?: string;
}

/** Told of every program that the engine runs, so that one that outlives the engine, or its lease, can be found and ended. */
export interface ProcessTracker {
  /**
   * Before the process exists: a crash right after its start must leave a trace, too.
   * @returns path of the run's permit: the program must not begin once this file is gone
   */
  starting(run: TracedRun): Promise<{ permit: string }>;
  /** `startTime` is empty where the system does not tell it. The process leads a process group of its own. */
  started(process: { marker: string; pid: number; startTime: string }): Promise<void>;
  /** The run is over and everything of it was ended or left on purpose. */
  ended(marker: string): Promise<void>;
  /**
   * Ends what other engines of this machine still run for the subject, whether they are dead, stand still, or do not know
   * yet that they lost their lease: their permits go first, so that what has not begun does not begin any more. Only for
   * whoever has the subject for itself.
   * @param signal aborted: it is not ours any more, and nothing (more) is ended
   */
  endEarlier(subject: string, signal: AbortSignal): Promise<Leftovers>;
}

interface Trace extends TracedRun {
  engine: { pid: number; startTime: string };
  pid?: number;
  startTime?: string;
}

const traceFolder = (root: string): string => join(root, 'processes');
const traceFile = (root: string, marker: string): string => join(traceFolder(root), `${marker}.json`);
const permitFile = (root: string, marker: string): string => join(traceFolder(root), `${marker}.permit`);
const MARKER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A permit without a trace that is older than this was left by a crash between the two. */
const STRAY_MS = 60_000;
const KILL_WAIT_MS = 2_000;

/** Two small files per running program below `<root>/processes`: what it is, and the permit to begin. */
export class FileProcessTracker implements ProcessTracker {
  private readonly traces = new Map<string, Trace>();
  private self: Promise<Trace['engine']> | undefined;

  constructor(private readonly root: string) {}

  async starting(run: TracedRun): Promise<{ permit: string }> {
    await privateFolder(this.root);
    await mkdir(traceFolder(this.root), { recursive: true, mode: 0o700 });
    const engine = await this.engine();
    const permit = permitFile(this.root, run.marker);
    // Before the trace: who finds the trace takes the permit away, and it must not come afterwards.
    await writeFile(permit, '', { mode: 0o600, flag: 'wx' });
    await this.write({ ...run, engine });
    return { permit };
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
    await removeTrace(this.root, marker);
  }

  async endEarlier(subject: string, signal: AbortSignal): Promise<Leftovers> {
    const me = await this.engine();
    const ours = (trace: Trace): boolean =>
      trace.engine.pid === me.pid && trace.engine.startTime === me.startTime;
    return endTraced(this.root, KILL_WAIT_MS, async (trace) => {
      signal.throwIfAborted();
      return trace?.subject === subject && !ours(trace);
    });
  }

  private engine(): Promise<Trace['engine']> {
    this.self ??= startTimeOf(process.pid).then((startTime = '') => ({ pid: process.pid, startTime }));
    return this.self;
  }

  private async write(trace: Trace): Promise<void> {
    this.traces.set(trace.marker, trace);
    const path = traceFile(this.root, trace.marker);
    // Renamed into place: half a trace would hide a process.
    await writeFile(`${path}.new`, JSON.stringify(trace), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
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
export async function killLeftovers(stagingRoot: string, waitMs = KILL_WAIT_MS): Promise<Leftovers> {
  const result = await endTraced(
    stagingRoot,
    waitMs,
    async (trace) => !trace || !(await lives(trace.engine)),
  );
  await removeStrayPermits(stagingRoot);
  return result;
}

/** Where the system shows no start times, an engine lives when somebody has its id: sparing too much is the safe mistake. */
function lives({ pid, startTime }: Trace['engine']): Promise<boolean> {
  return startTime === '' ? Promise.resolve(signalTo(pid, 0)) : isSameProcess(pid, startTime);
}

/** @param concerned asked directly before anything is done about a trace, or about a file that is none */
async function endTraced(
  root: string,
  waitMs: number,
  concerned: (trace: Trace | undefined) => Promise<boolean>,
): Promise<Leftovers> {
  const result: Leftovers = { killed: [], survived: [], problems: [] };
  for (const name of await readdir(traceFolder(root)).catch(() => [])) {
    if (!name.endsWith('.json')) continue;
    const path = join(traceFolder(root), name);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    // It has ended meanwhile.
    if (text === undefined) continue;
    const trace = parseTrace(text);
    if (!(await concerned(trace))) continue;
    try {
      if (trace) await endRun(root, trace, waitMs, result);
      else result.problems.push(`${path} is not a trace of a process; it was removed.`);
      await rm(path, { force: true });
    } catch (error) {
      result.problems.push(`${path}: ${messageOf(error)}`);
    }
  }
  return result;
}

/**
 * First the permit, then the processes: one that passed its permit carries the marker by then and is found; one that has
 * not will find the permit gone. The trace goes last, so that a crash in between leaves it to the next.
 */
async function endRun(root: string, trace: Trace, waitMs: number, result: Leftovers): Promise<void> {
  await rm(permitFile(root, trace.marker), { force: true });
  const variable = `${RUN_VARIABLE}=${trace.marker}`;
  const pids = new Set(await processesWith(variable));
  if (trace.pid && (await isSameProcess(trace.pid, trace.startTime ?? ''))) {
    pids.add(trace.pid);
    signalTo(-trace.pid, 'SIGKILL');
  }
  for (const pid of pids) signalTo(pid, 'SIGKILL');
  result.killed.push(...pids);
  // These are not our children, so no event tells of their end.
  const deadline = performance.now() + waitMs;
  let left = await processesWith(variable);
  while (left.length > 0 && performance.now() < deadline) {
    for (const pid of left) signalTo(pid, 'SIGKILL');
    await delay(20);
    left = await processesWith(variable);
  }
  result.survived.push(...left);
  await removeRunFiles(root, trace.folder, trace.marker);
}

async function removeTrace(root: string, marker: string): Promise<void> {
  await rm(permitFile(root, marker), { force: true });
  await rm(traceFile(root, marker), { force: true });
}

async function removeStrayPermits(root: string): Promise<void> {
  const names: string[] = await readdir(traceFolder(root)).catch(() => []);
  for (const name of names) {
    const marker = basename(name, '.permit');
    if (marker === name || names.includes(`${marker}.json`)) continue;
    const path = permitFile(root, marker);
    const written = await stat(path).catch(() => undefined);
    if (written && Date.now() - written.mtimeMs > STRAY_MS) await rm(path, { force: true });
  }
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
  const value = parsed(text);
  if (!isPlainObject(value) || !isPlainObject(value['engine'])) return undefined;
  const { marker, folder, subject, engine, pid, startTime } = value;
  if (typeof marker !== 'string' || !MARKER.test(marker) || typeof folder !== 'string') return undefined;
  return {
    marker,
    folder,
    ...(typeof subject === 'string' ? { subject } : {}),
    engine: { pid: Number(engine['pid']), startTime: String(engine['startTime']) },
    ...(Number.isSafeInteger(pid) && Number(pid) > 1
      ? { pid: Number(pid), startTime: String(startTime) }
      : {}),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
