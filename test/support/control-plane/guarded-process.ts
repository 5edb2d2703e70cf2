import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs a program and reports its process id on descriptor 3. Its standard input is a pipe that only the test run holds:
 * when that closes, however the run ended, the program is killed. Its data is temporary, so there is nothing to save.
 */
const GUARD = `
exec 4<&0 </dev/null
trap : HUP INT TERM
"$@" 3>&- 4<&- &
program=$!
echo "$program" >&3
exec 3>&-
(
  trap - HUP INT TERM
  read -r line <&4
  kill -KILL "$program"
) >/dev/null 2>&1 &
guard=$!
exec 4<&-
while :; do
  wait "$program"
  status=$?
  [ "$status" -ne 127 ] && kill -0 "$program" 2>/dev/null || break
done
kill "$guard" 2>/dev/null
exit "$status"
`;

const STOP_MS = 20_000;
const LOOK_EVERY_MS = 25;
const SHOWN_LOG = 3_000;

export interface ProgramOptions {
  name: string;
  command: string;
  args: readonly string[];
  /** What it prints is appended here. */
  logFile: string;
  /** Whether it serves. May throw while it does not. */
  isReady: () => Promise<boolean>;
  /** Longest time in ms from its start until it serves. */
  readyMs: number;
}

/**
 * A program that ends with this process, and that can be stopped, killed, frozen and started again with the same
 * command line, so on the same address and data.
 */
export class GuardedProcess {
  #last: { child: ChildProcess; pid: number; exit: Promise<string> } | undefined;

  constructor(readonly options: ProgramOptions) {}

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Starts it and waits until it serves. @throws Error with the end of its log when it does not */
  async start(): Promise<void> {
    if (this.#running) throw new Error(`${this.options.name} runs already`);
    const log = await open(this.options.logFile, 'a');
    const { command, args } = this.options;
    const child = spawn('sh', ['-c', GUARD, 'guard', command, ...args], {
      stdio: ['pipe', log.fd, log.fd, 'pipe'],
    });
    const exit = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    await log.close();
    child.stdin?.on('error', () => undefined);
    this.#last = { child, pid: await pidFrom(child, exit), exit };
    await this.#ready(exit).catch(async (error: unknown) => {
      await this.kill();
      throw error;
    });
  }

  /** Ends it in order, by force when that takes too long. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.signal('SIGTERM');
    const forced = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    await running.exit;
    clearTimeout(forced);
  }

  /** Ends it as a power failure would. */
  async kill(): Promise<void> {
    const exit = this.#running?.exit;
    this.signal('SIGKILL');
    await exit;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGSTOP freezes it, SIGCONT lets it go on. Does nothing when it does not run. */
  signal(signal: NodeJS.Signals): void {
    if (this.#running) process.kill(this.#running.pid, signal);
  }

  get #running(): { pid: number; exit: Promise<string> } | undefined {
    const child = this.#last?.child;
    return child?.exitCode === null && child.signalCode === null ? this.#last : undefined;
  }

  async #ready(exit: Promise<string>): Promise<void> {
    const { name, isReady, readyMs } = this.options;
    const deadline = performance.now() + readyMs;
    while (!(await isReady().catch(() => false))) {
      const ended = await Promise.race([exit, delay(LOOK_EVERY_MS, undefined)]);
      if (ended !== undefined) throw new Error(`${name} ended at its start (${ended}): ${await this.#log()}`);
      if (performance.now() > deadline) {
        throw new Error(`${name} does not serve after ${readyMs / 1000} s: ${await this.#log()}`);
      }
    }
  }

  async #log(): Promise<string> {
    return (await readFile(this.options.logFile, 'utf8').catch(() => '')).slice(-SHOWN_LOG);
  }
}

/** What the guard writes first: the process id of the program itself, which is what signals are for. */
async function pidFrom(child: ChildProcess, exit: Promise<string>): Promise<number> {
  const report = child.stdio[3] as Readable;
  const text = new Promise<string>((resolve, reject) => {
    let seen = '';
    report.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
    report.once('end', () => resolve(seen)).once('error', reject);
  });
  const failed = exit.then((why) => {
    throw new Error(`sh did not start: ${why}`);
  });
  const pid = Number(await Promise.race([text, failed]));
  failed.catch(() => undefined);
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error('the guard told no process id');
  return pid;
}
