import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe } from 'vitest';

const exec = promisify(execFile);

/** A file system of its own with a fixed size, which a test may fill. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** @throws when this account may not mount */
  static async mount(megabytes: number): Promise<SmallDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'symphony-disk-'));
    try {
      await exec('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'symphony-test', folder]);
      return new SmallDisk(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Bytes that are left. */
  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder);
    return bavail * bsize;
  }

  /** Takes the room but for so many bytes. */
  async fill(leave: number): Promise<void> {
    const room = (await this.free()) - leave;
    if (room <= 0) return;
    await mkdir(join(this.folder, 'ballast'), { recursive: true });
    await writeFile(join(this.folder, 'ballast', String(performance.now())), Buffer.alloc(room));
  }

  /** Gives the room back. */
  async empty(): Promise<void> {
    await rm(join(this.folder, 'ballast'), { recursive: true, force: true });
  }

  async unmount(): Promise<void> {
    // Lazily: a process that was killed a moment ago may not be buried yet.
    await exec('umount', ['-l', this.folder]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Tests that fill a disk: skipped by name where none can be mounted. */
export async function describeWithSmallDisk(name: string, body: () => void): Promise<void> {
  try {
    await (await SmallDisk.mount(1)).unmount();
  } catch (error) {
    process.stderr.write(`\nSKIPPED, because no small disk can be mounted here: ${name}. ${String(error)}\n`);
    describe.skip(name, body);
    return;
  }
  describe(name, body);
}
