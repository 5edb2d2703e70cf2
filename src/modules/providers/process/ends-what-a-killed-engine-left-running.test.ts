import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import { FileProcessTracker, killLeftovers } from './index.js';
import { startTimeOf } from './proc.js';

let root: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'leftovers-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

/** A process as an engine leaves it behind: traced, in its own group, with the marker. */
async function leftover(marker: string, env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'sleep 600 & echo; wait'], {
    detached: true,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  if (child.stdout) await once(child.stdout, 'data');
  const folder = join(root, marker);
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, `${marker}.json`), '{"password":"hunter2"}');
  const tracker = new FileProcessTracker(root);
  const pid = child.pid ?? 0;
  await tracker.starting({ marker, folder });
  await tracker.started({ marker, pid, startTime: (await startTimeOf(pid)) ?? '' });
  return child;
}

const tracePath = (marker: string): string => join(root, 'processes', `${marker}.json`);

/** Makes a trace look as if another engine, now dead, had written it; and more, as a test wants it. */
async function rewrite(marker: string, change: (trace: Record<string, unknown>) => void): Promise<void> {
  const trace = JSON.parse(await readFile(tracePath(marker), 'utf8')) as Record<string, unknown>;
  trace['engine'] = { pid: 4_000_000, startTime: 'gone' };
  change(trace);
  await writeFile(tracePath(marker), JSON.stringify(trace));
}

const died = (child: ChildProcess): Promise<unknown> =>
  child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
const lives = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

describe('killLeftovers', () => {
  it('ends the whole group of a traced process, and removes files and trace', async () => {
    const marker = randomUUID();
    const child = await leftover(marker, {});
    await rewrite(marker, () => undefined);
    const { killed, survived, problems } = await killLeftovers(root);
    await died(child);
    expect({ killed, survived, problems }).toEqual({ killed: [child.pid], survived: [], problems: [] });
    expect(await readdir(root)).toEqual(['processes']);
    expect(await readdir(join(root, 'processes'))).toEqual([]);
  });

  it('finds a process by its marker when the engine died before it could note the id', async () => {
    const marker = randomUUID();
    const child = await leftover(marker, { SYMPHONY_RUN: marker });
    await rewrite(marker, (trace) => {
      delete trace['pid'];
      delete trace['startTime'];
    });
    const { killed, survived } = await killLeftovers(root);
    await died(child);
    expect(killed).toContain(child.pid);
    // The shell and its sleep.
    expect(killed).toHaveLength(2);
    expect(survived).toEqual([]);
  });

  it('spares what belongs to an engine that lives', async () => {
    const marker = randomUUID();
    const child = await leftover(marker, { SYMPHONY_RUN: marker });
    expect(await killLeftovers(root)).toEqual({ killed: [], survived: [], problems: [] });
    expect(lives(child)).toBe(true);
    expect(await readdir(join(root, 'processes'))).toEqual([`${marker}.json`, `${marker}.permit`]);
  });

  it('spares a stranger that got the id of a process that is gone', async () => {
    const marker = randomUUID();
    const child = await leftover(marker, {});
    await rewrite(marker, (trace) => {
      trace['startTime'] = 'another boot:123';
    });
    expect((await killLeftovers(root)).killed).toEqual([]);
    expect(lives(child)).toBe(true);
    expect(await readdir(join(root, 'processes'))).toEqual([]);
  });

  it('says what it cannot make sense of, and goes on', async () => {
    await mkdir(join(root, 'processes'));
    await writeFile(join(root, 'processes', 'a.json'), '{"marker":"../../etc","folder":"/","engine":{}}');
    await writeFile(join(root, 'processes', 'b.json'), '{');
    const marker = randomUUID();
    const child = await leftover(marker, {});
    await rewrite(marker, () => undefined);
    const { killed, problems } = await killLeftovers(root);
    await died(child);
    expect(killed).toEqual([child.pid]);
    expect(problems).toHaveLength(2);
  });

  it('takes an engine that is dead and not yet buried for dead', async () => {
    // Its parent never waits for it.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(parent);
    const [line] = parent.stdout ? ((await once(parent.stdout, 'data')) as [Buffer]) : [];
    const zombie = Number(String(line));
    const startTime = await startTimeOf(zombie);
    const marker = randomUUID();
    const child = await leftover(marker, {});
    await rewrite(marker, (trace) => (trace['engine'] = { pid: zombie, startTime }));
    while ((await startTimeOf(zombie)) !== undefined) await delay(10);
    expect(await readFile(`/proc/${zombie}/stat`, 'utf8')).toContain(') Z ');
    expect((await killLeftovers(root)).killed).toEqual([child.pid]);
    await died(child);
  });

  it('does nothing where there never was anything', async () => {
    expect(await killLeftovers(join(root, 'nothing'))).toEqual({ killed: [], survived: [], problems: [] });
  });
});
