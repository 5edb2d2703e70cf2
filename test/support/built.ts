import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '../..');
const LOCK = join(ROOT, 'node_modules', '.cache', 'test-build.lock');
const BUILD_MS = 240_000;
const PREPARE = "import { prepare } from './scripts/lib/prepare.mjs'; prepare();";

let built: Promise<string> | undefined;

/**
 * The path of `dist/main`, built when it is missing or older than its sources. Test files that ask at the same time wait
 * for one build.
 */
export function builtMain(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const release = await lock();
  try {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PREPARE], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: BUILD_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`The build failed:\n${output}`);
  } finally {
    await release();
  }
  return join(ROOT, 'dist', 'main');
}

/** Across processes: each test file has its own. A lock whose holder has ended is nobody's. */
async function lock(): Promise<() => Promise<void>> {
  await mkdir(join(LOCK, '..'), { recursive: true });
  const deadline = performance.now() + BUILD_MS;
  for (;;) {
    try {
      const file = await open(LOCK, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(LOCK, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(LOCK, 'utf8').catch(() => ''));
    if (holder > 0 && !isAlive(holder)) await rm(LOCK, { force: true });
    else if (performance.now() > deadline) throw new Error(`Another build holds ${LOCK} for too long.`);
    else await delay(100);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
