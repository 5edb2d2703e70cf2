import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { GuardedProcess } from './guarded-process.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

async function sleeper(args = ['1000']): Promise<GuardedProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'symphony-guard-'));
  const program = new GuardedProcess({
    name: 'sleep',
    command: 'sleep',
    args,
    logFile: join(folder, 'log'),
    isReady: () => Promise.resolve(args[0] === '1000'),
    readyMs: 10_000,
  });
  onTestFinished(async () => {
    await program.kill();
    await rm(folder, { recursive: true });
  });
  return program;
}

function isAlive(pid: number | undefined): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

test('a program ends with the process that started it, even if that one is killed', async () => {
  const script = `
    import { GuardedProcess } from './test/support/control-plane/guarded-process.js';
    const program = new GuardedProcess({
      name: 'sleep', command: 'sleep', args: ['1000'], logFile: '/dev/null', isReady: async () => true, readyMs: 10_000,
    });
    await program.start();
    console.log(program.pid);`;
  const hooks = ['--import', './test/support/typescript-hooks.mjs', '--input-type=module', '--eval', script];
  const starter = spawn(process.execPath, hooks, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(starter.stdout), 'line')) as [string];
  expect(isAlive(Number(line))).toBe(true);
  starter.kill('SIGKILL');
  await vi.waitFor(() => expect(isAlive(Number(line))).toBe(false), 10_000);
});

test('a program that is killed or stopped can be started again', async () => {
  const program = await sleeper();
  await program.start();
  const first = program.pid;
  await program.kill();
  expect(program.pid).toBeUndefined();
  expect(isAlive(first)).toBe(false);
  await program.start();
  expect(isAlive(program.pid)).toBe(true);
  await program.stop();
  expect(program.pid).toBeUndefined();
});

test('a program that is frozen is killed all the same', async () => {
  const program = await sleeper();
  await program.start();
  const { pid } = program;
  program.signal('SIGSTOP');
  await program.kill();
  expect(isAlive(pid)).toBe(false);
});

test('a program that ends at its start says why', async () => {
  const program = await sleeper(['nonsense']);
  await expect(program.start()).rejects.toThrow(/sleep ended at its start \(exit code 1\): .*nonsense/);
});
