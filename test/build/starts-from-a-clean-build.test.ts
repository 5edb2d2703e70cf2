import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const BUILD_MS = 300_000;
const copy = mkdtempSync(join(tmpdir(), 'symphony-build-'));

/** Runs Node in the copy of the tree. */
function node(...args: string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: 'utf8',
    timeout: BUILD_MS,
  });
  return { status, out: stdout + stderr };
}

/** The sources as a fresh clone has them, and packages of its own: links to ours, but to the copied libs for the libs. */
beforeAll(() => {
  const files = readdirSync(ROOT).filter((name) => /^(tsconfig.*|package|nest-cli)\.json$/.test(name));
  for (const name of [...files, 'src', 'libs', 'scripts']) {
    cpSync(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !['dist', 'node_modules'].includes(basename(path)) && !path.endsWith('.tsbuildinfo'),
    });
  }
  mkdirSync(join(copy, 'node_modules', '@symphony'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name === '@symphony' || name === '.cache') continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  for (const lib of readdirSync(join(copy, 'libs'), { withFileTypes: true })) {
    if (!lib.isDirectory()) continue;
    symlinkSync(join('..', '..', 'libs', lib.name), join(copy, 'node_modules', '@symphony', lib.name));
  }
  const build = node(join('scripts', 'build.mjs'), '--clean');
  expect(build.out).toBe('');
  expect(build.status).toBe(0);
}, BUILD_MS);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('the entry is dist/main.js, and nothing of the tests is built', () => {
  expect(existsSync(join(copy, 'dist', 'main.js'))).toBe(true);
  const built = readdirSync(join(copy, 'dist'), { recursive: true, encoding: 'utf8' });
  expect(built.filter((path) => /\.test\.(js|d\.ts)$/.test(path))).toEqual([]);
});

test('node dist/main --version tells the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(node('dist/main', '--version')).toEqual({ status: 0, out: `${version}\n` });
});

test('the libs resolve at run time: the whole application loads as far as its configuration', () => {
  const { status, out } = node('dist/main', '--mode=standalone', '--print-config');
  expect(out).toContain('mode: "standalone"');
  expect(status).toBe(0);
  expect(node('--input-type=module', '-e', "await import('./dist/app.js')")).toEqual({ status: 0, out: '' });
});

test('a second build finds everything up to date, and a changed source is noticed', () => {
  const script = "import { prepare } from './scripts/lib/prepare.mjs'; prepare();";
  const lock = join(ROOT, 'package-lock.json');
  if (existsSync(lock)) cpSync(lock, join(copy, 'package-lock.json'), { preserveTimestamps: true });
  // The lock that was just copied is a source like the others.
  expect(node('--input-type=module', '-e', script).out).toContain('Building');
  expect(node('--input-type=module', '-e', script)).toEqual({ status: 0, out: '' });
  rmSync(join(copy, 'dist', 'main.js'));
  expect(node('--input-type=module', '-e', script).out).toContain('Building');
});
