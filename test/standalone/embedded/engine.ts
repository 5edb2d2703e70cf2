import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EmbeddedConnection } from '../../../src/modes/standalone/embedded/embedded-postgres.js';
import { processesOf } from '../../../src/modes/standalone/embedded/processes.js';

const HOOKS = fileURLToPath(new URL('../../support/typescript-hooks.mjs', import.meta.url));
const PROGRAM = fileURLToPath(new URL('engine-process.ts', import.meta.url));

export const IS_ROOT = process.getuid?.() === 0;
/** An account that every system has, for what a normal user does. */
export const NOBODY = { uid: 65_534, gid: 65_534 };

/** Whether another account can run this Node on this checkout: not where one of them lies in a private folder. */
export const NOBODY_CAN_RUN = IS_ROOT && canRunAs(NOBODY);

function canRunAs(account: { uid: number; gid: number }): boolean {
  const look = `require('node:fs').accessSync(${JSON.stringify(join(process.cwd(), 'package.json'))})`;
  const { status } = spawnSync(process.execPath, ['-e', look], { ...account, cwd: '/' });
  if (status === 0) return true;
  process.stderr.write(
    `\nSKIPPED: tests as a normal user. Another account cannot reach ${process.execPath} or ${process.cwd()}.\n`,
  );
  return false;
}

type Report =
  { ready: EmbeddedConnection; cluster: string } | { written: number } | { failed: string; message: string };

export interface EngineOptions {
  mode?: 'idle' | 'write';
  env?: Record<string, string>;
  account?: { uid: number; gid: number };
}

/** `engine-process.ts` running as a process of its own. */
export class Engine {
  readonly written: number[] = [];
  readonly exited: Promise<number | null>;
  errors = '';
  private readonly reports: Report[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(readonly child: ChildProcess) {
    if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as Report;
      if ('written' in report) this.written.push(report.written);
      else this.reports.push(report);
      for (const look of this.waiting) look();
    });
    child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.exited = new Promise((resolve) =>
      child.once('close', (code) => {
        resolve(code);
        for (const look of this.waiting) look();
      }),
    );
  }

  static run(dataDir: string, { mode = 'idle', env = {}, account }: EngineOptions = {}): Engine {
    const child = spawn(process.execPath, ['--import', HOOKS, PROGRAM, dataDir, mode], {
      ...account,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Engine(child);
  }

  /** The report of its start. */
  async ready(): Promise<{ connection: EmbeddedConnection; cluster: string }> {
    await this.until(() => this.reports.length > 0);
    const [report] = this.reports;
    if (report === undefined || !('ready' in report)) throw new Error(JSON.stringify(report));
    return { connection: report.ready, cluster: report.cluster };
  }

  /** The report of a start that fails. */
  async failure(): Promise<{ name: string; message: string }> {
    await this.until(() => this.reports.length > 0);
    const [report] = this.reports;
    if (report === undefined || !('failed' in report)) throw new Error(JSON.stringify(report));
    return { name: report.failed, message: report.message };
  }

  async writes(count: number): Promise<void> {
    await this.until(() => this.written.length >= count);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }

  private async until(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const dead = this.child.exitCode !== null || this.child.signalCode !== null;
        if (!condition() && !dead) return;
        this.waiting.delete(look);
        if (condition()) resolve();
        else reject(new Error(`the engine process ended:\n${this.errors}`));
      };
      this.waiting.add(look);
      look();
    });
  }
}

/** A folder for a test file, and its removal. */
export async function temporaryFolder(owner?: { uid: number; gid: number }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sym-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  return folder;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

export async function postmasterOf(cluster: string): Promise<number> {
  return Number.parseInt(await readFile(join(cluster, 'postmaster.pid'), 'utf8'), 10);
}

/** Waits for a condition that only looking can tell. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  ms = 20_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(25);
  }
}

/** Waits until no process works in the cluster's folder; gives the time that it took in ms. */
export async function allGone(cluster: string, ms = 20_000): Promise<number> {
  const since = performance.now();
  await eventually('no process of the cluster', async () => (await processesOf(cluster)).length === 0, ms);
  return performance.now() - since;
}
