import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError } from '@symphony/provider-kit';
import { TailCapture } from './capture.js';
import { processesWith, signalTo, startTimeOf } from './proc.js';
import { RUN_VARIABLE, type ProcessTracker } from './tracker.js';

export interface ProgramRun {
  /** Absolute path of the program; no shell takes part. */
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment; the marker is added. */
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** A fresh UUID. */
  marker: string;
  /** The caller has told it that the run is `starting`, and tells it when it has `ended`. */
  tracker: ProcessTracker;
  /** What `starting` answered: a file without which the program does not begin. */
  permit: string;
  /** Names the program in errors. */
  label: string;
}

export interface ProgramEnd {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last 64 KiB of each. */
  stdout: string;
  stderr: string;
}

const OUTPUT_LIMIT = 64 * 1024;
/** From SIGTERM to SIGKILL. Callers may rely on an abort being over within 2 s. */
const TERM_GRACE_MS = 1_000;
/** How long a killed program may take to be reported as gone. */
const KILL_GRACE_MS = 500;
/** What a program wrote just before its end is read; a descendant that keeps the pipe open is not waited for. */
const DRAIN_MS = 100;

/**
 * Runs a program in a process group of its own, without standard input, with bounded output.
 *
 * After an abort the whole group gets SIGTERM, then SIGKILL, and so does every descendant that left the group but
 * carries the marker. A program that ends by itself may leave descendants (a daemon it was meant to start); they are
 * not touched and their pipes are closed.
 *
 * @throws the reason of the signal (`abortError`), or the system's error when the program cannot be started
 */
export async function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  if (run.signal.aborted) throw abortError(run.signal, run.label);
  const [command, args] = onlyWhilePermitted(run.permit, await dyingWithUs(run.command, run.args));
  const child = spawn(command, args, {
    cwd: run.cwd,
    env: { ...run.env, [RUN_VARIABLE]: run.marker },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  });
  return supervise(child, run);
}

type Exit = { code: number | null; signal: NodeJS.Signals | null };

async function supervise(child: ChildProcess, run: ProgramRun): Promise<ProgramEnd> {
  const { stdout, stderr } = child;
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // It may fail while something else is awaited; whoever awaits it later still sees the failure.
  exit.catch(() => undefined);
  if (!stdout || !stderr || child.pid === undefined) {
    await exit;
    throw new Error(`${run.label} could not be started.`);
  }
  const { pid } = child;
  const outputs = [new TailCapture(stdout, OUTPUT_LIMIT), new TailCapture(stderr, OUTPUT_LIMIT)] as const;
  const aborted = new AbortWatch(run.signal);
  try {
    await run.tracker.started({ marker: run.marker, pid, startTime: (await startTimeOf(pid)) ?? '' });
    const ended = await Promise.race([exit, aborted.promise]);
    if (ended === undefined) {
      await endGroup(child, pid, run.marker, exit);
      throw abortError(run.signal, run.label);
    }
    await Promise.race([Promise.all(outputs.map((output) => output.ended)), delay(DRAIN_MS)]);
    return { ...ended, stdout: outputs[0].text, stderr: outputs[1].text };
  } catch (error) {
    // Also when the tracker failed: what we started must not run on unwatched.
    if (child.exitCode === null && child.signalCode === null) await endGroup(child, pid, run.marker, exit);
    throw error;
  } finally {
    aborted.dispose();
    for (const output of outputs) output.release();
  }
}

async function endGroup(
  child: ChildProcess,
  pid: number,
  marker: string,
  exit: Promise<unknown>,
): Promise<void> {
  const gone = exit.then(
    () => true,
    () => true,
  );
  if (process.platform === 'win32') {
    child.kill();
    await Promise.race([gone, delay(KILL_GRACE_MS)]);
    return;
  }
  signalTo(-pid, 'SIGTERM');
  await Promise.race([gone, delay(TERM_GRACE_MS)]);
  signalTo(-pid, 'SIGKILL');
  for (const left of await processesWith(`${RUN_VARIABLE}=${marker}`)) signalTo(left, 'SIGKILL');
  await Promise.race([gone, delay(KILL_GRACE_MS)]);
}

/** Resolves (with undefined) when the signal fires; leaves no listener behind. */
class AbortWatch {
  readonly promise: Promise<undefined>;
  private listener: () => void = () => undefined;

  constructor(private readonly signal: AbortSignal) {
    this.promise = new Promise((resolve) => {
      this.listener = () => resolve(undefined);
    });
    if (signal.aborted) this.listener();
    else signal.addEventListener('abort', this.listener, { once: true });
  }

  dispose(): void {
    this.signal.removeEventListener('abort', this.listener);
  }
}

/** Exit code of a program that did not begin because its permit was gone. */
export const NOT_PERMITTED = 113;

/**
 * The new process itself looks for its permit, at the last moment: an engine that stands still just before a start, and
 * goes on when another has taken over, cannot look in time.
 */
function onlyWhilePermitted(permit: string, [command, args]: [string, string[]]): [string, string[]] {
  if (process.platform === 'win32') return [command, args];
  return ['/bin/sh', ['-c', `test -e "$0" || exit ${NOT_PERMITTED}; exec "$@"`, permit, command, ...args]];
}

let parentDeathSignal: Promise<string | undefined> | undefined;

/**
 * Where util-linux's `setpriv` is at hand, the program is killed together with the engine, even by `kill -9`. That
 * covers the program itself, not its descendants: `killLeftovers` finds those at the next start.
 */
async function dyingWithUs(command: string, args: readonly string[]): Promise<[string, string[]]> {
  parentDeathSignal ??= probeSetpriv();
  const setpriv = await parentDeathSignal;
  return setpriv ? [setpriv, ['--pdeathsig', 'KILL', '--', command, ...args]] : [command, [...args]];
}

async function probeSetpriv(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  for (const path of ['/usr/bin/setpriv', '/bin/setpriv']) {
    const works = await new Promise<boolean>((resolve) => {
      execFile(path, ['--pdeathsig', 'KILL', '--', '/bin/true'], { timeout: 2_000 }, (error) =>
        resolve(!error),
      );
    });
    if (works) return path;
  }
  return undefined;
}
