import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileProcessTracker, killLeftovers, NOT_PERMITTED, runProgram, type ProgramEnd } from './index.js';
import { startTimeOf } from './proc.js';

let root: string;
let tracker: FileProcessTracker;
const children: ChildProcess[] = [];
const signal = new AbortController().signal;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fenced-programs-'));
  tracker = new FileProcessTracker(root);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

async function child(command: string, env: Record<string, string> = {}): Promise<ChildProcess> {
  const started = spawn('/bin/sh', ['-c', command], {
    detached: true,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(started);
  if (started.stdout) await once(started.stdout, 'data');
  return started;
}

const lives = (one: ChildProcess): boolean => one.exitCode === null && one.signalCode === null;
const died = (one: ChildProcess): Promise<unknown> => (lives(one) ? once(one, 'exit') : Promise.resolve());

/** The shell and its sleep. */
async function groupIsGone({ pid = 0 }: ChildProcess): Promise<void> {
  await vi.waitFor(() => expect(() => process.kill(-pid, 0)).toThrow('ESRCH'), 5_000);
}

/** A program of another engine, which lives and stands still. */
async function ofAnotherEngine(
  subject: string,
): Promise<{ marker: string; program: ChildProcess; permit: string }> {
  const engine = await child('echo; exec sleep 600');
  engine.kill('SIGSTOP');
  const marker = randomUUID();
  const { permit } = await tracker.starting({ marker, folder: join(root, marker), subject });
  const program = await child('sleep 600 & echo; wait', { SYMPHONY_RUN: marker });
  const pid = program.pid ?? 0;
  await tracker.started({ marker, pid, startTime: (await startTimeOf(pid)) ?? '' });
  const path = join(root, 'processes', `${marker}.json`);
  const trace = JSON.parse(await readFile(path, 'utf8')) as object;
  const startTime = await startTimeOf(engine.pid ?? 0);
  await writeFile(path, JSON.stringify({ ...trace, engine: { pid: engine.pid, startTime } }));
  return { marker, program, permit };
}

function run(marker: string, permit: string): Promise<ProgramEnd> {
  return runProgram({
    command: '/bin/sh',
    args: ['-c', `touch '${join(root, 'began')}'`],
    cwd: root,
    env: {},
    signal,
    marker,
    permit,
    tracker,
    label: 'it',
  });
}

describe('endEarlier', () => {
  it('ends what an engine that lives and stands still runs for the subject, and spares what is for others', async () => {
    const [mine, other] = [await ofAnotherEngine('a'), await ofAnotherEngine('b')];
    const { killed, survived, problems } = await tracker.endEarlier('a', signal);
    await died(mine.program);
    await groupIsGone(mine.program);
    expect(killed).toContain(mine.program.pid);
    expect({ survived, problems }).toEqual({ survived: [], problems: [] });
    expect(lives(other.program)).toBe(true);
    expect(await readdir(join(root, 'processes'))).toEqual([
      `${other.marker}.json`,
      `${other.marker}.permit`,
    ]);
  });

  it('is no business of the start of an engine: that spares whoever lives', async () => {
    const { program } = await ofAnotherEngine('a');
    expect(await killLeftovers(root)).toEqual({ killed: [], survived: [], problems: [] });
    expect(lives(program)).toBe(true);
  });

  it('spares what this engine itself runs', async () => {
    const marker = randomUUID();
    await tracker.starting({ marker, folder: join(root, marker), subject: 'a' });
    const program = await child('echo; exec sleep 600', { SYMPHONY_RUN: marker });
    expect((await tracker.endEarlier('a', signal)).killed).toEqual([]);
    expect(lives(program)).toBe(true);
  });

  it('is not kept from it by files that are no traces', async () => {
    const { program } = await ofAnotherEngine('a');
    await writeFile(join(root, 'processes', '0.json'), '{');
    const { killed, problems } = await tracker.endEarlier('a', signal);
    await died(program);
    await groupIsGone(program);
    expect(killed).toContain(program.pid);
    expect(problems).toEqual([]);
  });

  it('ends nothing for a caller that lost its lease meanwhile', async () => {
    const { program } = await ofAnotherEngine('a');
    const lost = new Error('the lease is lost');
    await expect(tracker.endEarlier('a', AbortSignal.abort(lost))).rejects.toBe(lost);
    expect(lives(program)).toBe(true);
  });
});

describe('a permit', () => {
  it('lets a program begin', async () => {
    const marker = randomUUID();
    const { permit } = await tracker.starting({ marker, folder: join(root, marker), subject: 'a' });
    expect(await run(marker, permit)).toMatchObject({ code: 0 });
    await tracker.ended(marker);
    expect(await readdir(root)).toEqual(['began', 'processes']);
    expect(await readdir(join(root, 'processes'))).toEqual([]);
  });

  it('that another engine took away keeps one from beginning, also when its engine notes it anew', async () => {
    const { marker, program, permit } = await ofAnotherEngine('a');
    await tracker.endEarlier('a', signal);
    await died(program);
    // The engine that stood still just before the start goes on.
    expect(await run(marker, permit)).toMatchObject({ code: NOT_PERMITTED, stdout: '', stderr: '' });
    expect(await readdir(root)).toEqual(['processes']);
  });
});
