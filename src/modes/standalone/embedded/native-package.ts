import { chmod, cp, lstat, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { messageOf } from '@symphony/model';
import { EmbeddedDatabaseError } from './errors.js';

interface Link {
  /** The real file, relative to the package: `native/lib/libpq.so.5.18`. */
  source: string;
  /** The link to make: `native/lib/libpq.so.5`. */
  target: string;
}

/**
 * Makes the links between the shared libraries of a package's `native/` folder. npm packages cannot hold links: the
 * package makes them in an install script, which we switch off as everybody should.
 * @returns why they could not be made (a folder that we may not write), or undefined when all are there.
 */
export async function linkLibraries(native: string): Promise<string | undefined> {
  try {
    const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
    for (const { source, target } of links) {
      const link = join(native, '..', target);
      if (await exists(link)) continue;
      await symlink(relative(dirname(link), join(native, '..', source)), link).catch((error: unknown) => {
        // Another process on the same package was faster.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      });
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Copies a package's `native/` folder to `folder`, links included, readable by everybody: for a package that the
 * account of the database cannot reach (below a private home) or that we may not write. A copy that is there is used.
 * @returns the folder of the copy
 */
export async function copyNative(native: string, folder: string): Promise<string> {
  await refuseForeign(dirname(folder));
  if (await exists(folder)) return folder;
  const partial = `${folder}.${process.pid}.partial`;
  try {
    await cp(native, join(partial, 'native'), { recursive: true, verbatimSymlinks: true });
    const problem = await linkLibraries(join(partial, 'native'));
    if (problem !== undefined) throw new EmbeddedDatabaseError(problem);
    await openToRead(partial);
    await rename(join(partial, 'native'), folder).catch((error: unknown) => {
      // Another process finished the same copy first: that one is as good.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/** Programs are run from here: nobody else may be able to put some there. */
async function refuseForeign(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const { uid, mode } = await lstat(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new EmbeddedDatabaseError(`${folder} can be written by others`);
  }
}

async function openToRead(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openToRead(join(folder, entry.name));
    else if (entry.isFile()) await chmod(join(folder, entry.name), 0o755);
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
