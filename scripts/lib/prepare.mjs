// What a fresh clone needs before anything of it can run. Only Node's own modules: nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const OLDEST_NODE = [20, 19];
const BUILT_FROM = ['src', 'libs', 'package.json', 'package-lock.json', 'nest-cli.json'];
const BUILT_FROM_ROOT = /^tsconfig.*\.json$/;
const STAMP = join(ROOT, 'dist', '.built-from');

/** Ends the process with one sentence. */
export function fail(sentence, code = 1) {
  console.error(`\n${sentence}`);
  process.exit(code);
}

/** Installs the packages and builds the product, each only when it is missing or out of date. */
export function prepare() {
  checkNode();
  if (!isInstalled()) install();
  if (!isBuilt()) build();
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  fail(
    `This needs Node ${OLDEST_NODE.join('.')} or later, and this is ${process.versions.node}: install a newer one from https://nodejs.org.`,
  );
}

/** Whether node_modules holds what the lock names. Times of files tell nothing: a checkout touches them all. */
function isInstalled() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf(join('node_modules', '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional, peer }]) => {
    if (!path.startsWith('node_modules/')) return true;
    const found = present[path];
    if (!found) return Boolean(optional || devOptional || peer);
    return found.version === version && found.integrity === integrity;
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function install() {
  console.log('Installing the packages (a minute or two the first time) ...');
  const command = existsSync(join(ROOT, 'package-lock.json')) ? 'ci' : 'install';
  // The development tools build the product, whatever NODE_ENV says.
  if (!npm([command, '--include=dev', '--include=optional', '--no-audit', '--no-fund'])) {
    fail(
      'The packages could not be installed: see what npm says above. It needs the network the first time.',
    );
  }
}

/** Runs npm: the one that started this script if there is one, else the one on the PATH. */
function npm(args) {
  const cli = process.env.npm_execpath;
  const viaNode = cli !== undefined && /\.c?js$/.test(cli) && /npm/.test(cli);
  const windows = process.platform === 'win32';
  const result = viaNode
    ? spawnSync(process.execPath, [cli, ...args], { cwd: ROOT, stdio: 'inherit' })
    : spawnSync(windows ? 'npm.cmd' : 'npm', args, { cwd: ROOT, stdio: 'inherit', shell: windows });
  return result.status === 0;
}

function build() {
  console.log('Building ...');
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (status !== 0) fail('The build failed: see the messages above.');
}

function isBuilt() {
  try {
    return existsSync(join(ROOT, 'dist', 'main.js')) && readFileSync(STAMP, 'utf8') === sourceStamp();
  } catch {
    return false;
  }
}

/** Notes in the output what it was built from; called by the build. */
export function writeBuildStamp() {
  writeFileSync(STAMP, sourceStamp());
}

/** Changes when any source is added, removed or written. */
function sourceStamp() {
  const hash = createHash('sha256');
  const roots = inOrder([...BUILT_FROM, ...readdirSync(ROOT).filter((name) => BUILT_FROM_ROOT.test(name))]);
  for (const root of roots) addToStamp(hash, join(ROOT, root));
  return hash.digest('hex');
}

function addToStamp(hash, path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return;
  if (stats.isFile()) {
    if (!/\.(test\.ts|tsbuildinfo)$/.test(path))
      hash.update(`${relative(ROOT, path)} ${stats.size} ${stats.mtimeMs}\n`);
    return;
  }
  for (const name of inOrder(readdirSync(path))) {
    if (name !== 'dist' && name !== 'node_modules' && name !== 'test') addToStamp(hash, join(path, name));
  }
}

function inOrder(names) {
  return [...names].sort((left, right) => (left < right ? -1 : 1));
}
