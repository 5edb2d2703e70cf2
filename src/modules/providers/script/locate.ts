import { access, constants, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, isAbsolute, sep } from 'node:path';
import { ProviderConfigError, ProviderError } from '@symphony/provider-kit';
import { StateCode } from '@symphony/model';
import type { Operation, ScriptConfig } from './config.js';

/** The configuration key that lists the folders whose scripts may run. */
export const ALLOWED_FOLDERS_KEY = 'providers.script.allowedFolders';

/** What to execute. */
export interface Program {
  command: string;
  /** Arguments in front of those of the protocol. */
  args: string[];
  cwd: string;
}

/**
 * Finds the script of an operation, with symbolic links resolved, and makes sure that it lies in an allowed folder.
 * Done before each run, since the disk may change between runs.
 * @throws ProviderError `ProviderDisabled` when the folder is not allowed, ProviderConfigError when it cannot be run
 */
export async function locateScript(
  config: ScriptConfig,
  operation: Operation,
  allowedFolders: readonly string[],
): Promise<Program> {
  const allowed = await existing(allowedFolders);
  const folder = await resolved(config.folder, `The scriptFolder '${config.folder}'`);
  const named = join(config.folder, config.scripts[operation]);
  // First the folder: whether files exist elsewhere is nobody's business.
  demandAllowed(folder, allowed, `The scriptFolder '${config.folder}'`);
  const script = await resolved(named, `The script '${named}'`);
  demandAllowed(script, allowed, `The script '${named}'`);
  if (!(await stat(script)).isFile()) throw new ProviderConfigError(`The script '${named}' is not a file.`);
  if (config.engine === 'powershell') {
    const shell = await findPowerShell();
    return { command: shell, args: ['-NoProfile', '-NonInteractive', '-File', script], cwd: folder };
  }
  try {
    await access(script, constants.X_OK);
  } catch (cause) {
    throw new ProviderConfigError(`The script '${named}' may not be executed: make it so with chmod +x.`, {
      cause,
    });
  }
  return { command: script, args: [], cwd: folder };
}

/**
 * The real path of a staging folder that the configuration names. It must lie in an allowed folder or in the system's
 * temporary folder: a target must not make the engine write files just anywhere.
 */
export async function locateStaging(folder: string, allowedFolders: readonly string[]): Promise<string> {
  const what = `The stagingFolder '${folder}'`;
  const real = await resolved(folder, what);
  const allowed = await existing([...allowedFolders, tmpdir()]);
  if (!allowed.some((parent) => isInside(real, parent))) {
    throw new ProviderConfigError(
      `${what} must lie in a folder of '${ALLOWED_FOLDERS_KEY}' or in the temporary folder of the system. Leave it ` +
        'out to get a private one.',
    );
  }
  try {
    await access(real, constants.W_OK);
    if ((await stat(real)).isDirectory()) return real;
  } catch (cause) {
    throw new ProviderConfigError(`${what} cannot be written to.`, { cause });
  }
  throw new ProviderConfigError(`${what} is not a folder.`);
}

function demandAllowed(path: string, allowed: readonly string[], what: string): void {
  if (allowed.some((parent) => isInside(path, parent))) return;
  throw new ProviderError(
    'ProviderDisabled',
    `${what} does not lie in a folder whose scripts may run. Add the folder to '${ALLOWED_FOLDERS_KEY}' in the ` +
      'configuration of the engine, or move the scripts.',
    StateCode.BadConfig,
  );
}

/** Whether a path is the folder or below it; both real paths. */
function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Real paths of those that exist; an allowed folder may come later (a mount). */
async function existing(folders: readonly string[]): Promise<string[]> {
  const paths = await Promise.all(folders.map((folder) => realpath(folder).catch(() => '')));
  return paths.filter((path) => path !== '');
}

async function resolved(path: string, what: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new ProviderConfigError(`${what} cannot be found.`, { cause });
  }
}

async function findPowerShell(): Promise<string> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  for (const name of process.platform === 'win32' ? ['powershell.exe', 'pwsh.exe'] : ['pwsh', 'powershell']) {
    for (const folder of folders) {
      const path = join(folder, name);
      const found = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return path;
    }
  }
  throw new ProviderConfigError(
    "The scriptEngine 'powershell' was asked for, but neither pwsh nor powershell is on the PATH of the engine.",
  );
}
