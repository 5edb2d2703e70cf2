import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@symphony/model';
import { DataDirLockedError, EmbeddedDatabaseError } from './errors.js';
import { cleanEnvironment } from './run-program.js';

/** <fcntl.h> of macOS and the BSDs: take an exclusive flock(2) while opening. Node does not name it. */
const O_EXLOCK = 0x20;

/** Of util-linux or busybox: part of every Linux that has a shell. */
const FLOCK = 'flock';

/**
 * The exclusive claim of this process on a data directory: a flock(2) of the kernel on the directory itself, so it
 * ends with the process however that ends, no process id can be mistaken for another, and there is no lock file that
 * somebody could delete. The file `lock` in the directory only says who holds it.
 *
 * Node has no flock: on Linux the program `flock` locks a descriptor that it inherits from us, and the lock stays
 * with our descriptor when the program has ended; macOS can lock while opening.
 */
export class DataDirLock {
  private constructor(private fd: number | undefined) {}

  /**
   * Takes the lock, at once or never.
   * @throws DataDirLockedError when another process (or another part of this one) has it
   */
  static async take(dataDir: string): Promise<DataDirLock> {
    const fd = process.platform === 'linux' ? await takeByProgram(dataDir) : await takeByOpening(dataDir);
    const lock = new DataDirLock(fd);
    try {
      const path = join(dataDir, 'lock');
      const holder = { pid: process.pid, since: new Date().toISOString() };
      await writeFile(`${path}.new`, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      lock.release();
      throw error;
    }
    return lock;
  }

  /** Gives the lock up; a second call does nothing. */
  release(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

async function takeByProgram(dataDir: string): Promise<number> {
  const fd = openSync(dataDir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const { code, output } = await lockDescriptor(fd);
    if (code === 0) return fd;
    // 1 is what both util-linux and busybox say for "somebody else has it".
    if (code === 1) throw new DataDirLockedError(dataDir, await holderOf(dataDir));
    throw new EmbeddedDatabaseError(
      `The data directory ${dataDir} cannot be locked: ${output || `flock ended with ${code}`}`,
    );
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function lockDescriptor(fd: number): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(FLOCK, ['-n', '3'], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe', fd],
      signal: AbortSignal.timeout(30_000),
    });
    let output = '';
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.once('error', (error) =>
      reject(
        new EmbeddedDatabaseError(
          `The program flock (of util-linux or busybox), which guards the data directory, cannot be run (${messageOf(error)}): install it, or give a PostgreSQL server with --database-url.`,
        ),
      ),
    );
    child.once('close', (code) => resolve({ code, output: output.trim() }));
  });
}

async function takeByOpening(dataDir: string): Promise<number> {
  try {
    return openSync(dataDir, constants.O_RDONLY | constants.O_NONBLOCK | O_EXLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    throw new DataDirLockedError(dataDir, await holderOf(dataDir));
  }
}

async function holderOf(dataDir: string): Promise<string> {
  try {
    const { pid, since } = JSON.parse(await readFile(join(dataDir, 'lock'), 'utf8')) as {
      pid: number;
      since: string;
    };
    return `another process (process id ${pid}, since ${since})`;
  } catch {
    // Only the sentence is poorer.
    return 'another process';
  }
}
