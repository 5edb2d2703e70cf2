import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { builtMain } from '../../support/built.js';

/** What the next version writes where this one writes nothing. */
export const NOTE = { name: 'ofTheNext', value: 'version' } as const;

export interface NextVersion {
  /** `dist/main` of this version and of the next one. */
  present: string;
  next: string;
  /** The definitions that the next one brings along. */
  definitions: object[];
  remove(): Promise<void>;
}

/**
 * The version after this one: a copy of this one's build that has one field more in each row of a ledger and in each status, and
 * writes both.
 */
export async function nextVersion(): Promise<NextVersion> {
  const present = await builtMain();
  const root = dirname(dirname(present));
  const folder = await mkdtemp(join(tmpdir(), 'symphony-next-'));
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const k8s = join(folder, 'dist', 'modes', 'k8s');
  await append(join(k8s, 'crds', 'records.js'), `Text()(LedgerRow.prototype, '${NOTE.name}');`);
  await append(join(k8s, 'crds', 'resource-status.js'), `Text()(ResourceStatus.prototype, '${NOTE.name}');`);
  await noting(join(k8s, 'ledger', 'ledger-object.js'), 'rowOf');
  await noting(join(k8s, 'runs', 'status-document.js'), 'statusDocument');
  return {
    present,
    next: join(folder, 'dist', 'main'),
    definitions: await definitionsOf(k8s),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function append(file: string, code: string): Promise<void> {
  await writeFile(file, `${await readFile(file, 'utf8')}\n${code}\n`);
}

/** What this function returns has the note as well. */
async function noting(file: string, name: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const declared = `export function ${name}(`;
  if (!text.includes(declared)) throw new Error(`${file} looks otherwise than expected`);
  const added = `export function ${name}(...all) {
  return { ...without(...all), ${NOTE.name}: '${NOTE.value}' };
}`;
  await writeFile(file, `${added}\n${text.replace(declared, 'function without(')}`);
}

async function definitionsOf(k8s: string): Promise<object[]> {
  const code = `import 'reflect-metadata';
import { customResourceDefinition, CUSTOM_RESOURCES } from '${join(k8s, 'crds', 'index.js')}';
process.stdout.write(JSON.stringify(CUSTOM_RESOURCES.map(customResourceDefinition)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: join(k8s, '../../..'),
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as object[];
}
