// The programs of a Kubernetes control plane for the tests: found, or built once from Go modules and kept outside the
// clone. Only Node's own modules. docs/testing-kubernetes.md tells what is built and why.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './prepare.mjs';

const SOURCE = join(ROOT, 'test', 'support', 'control-plane', 'go');
/** What the tests start or run. Each is a symbolic link to the one binary, which looks at its own name. */
const PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'];
const DOWNLOAD_TRIES = 3;
const BUILD_MS = 45 * 60_000;
const LOOK_AT_LOCK_MS = 1_000;
/** The programs that tell their version, and where the linker finds what they tell. */
const VERSION_PACKAGES = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];

/**
 * Where the programs are, without building anything.
 * @returns {{assets: string} | {buildable: string} | {problem: string}} the folder with the programs; or the Go with
 *   which they can be built; or a sentence that says what is missing
 */
export function findControlPlane() {
  const given = process.env.KUBEBUILDER_ASSETS;
  if (given) {
    const missing = PROGRAMS.filter((name) => !isExecutable(join(given, name)));
    if (missing.length === 0) return { assets: given };
    return { problem: `KUBEBUILDER_ASSETS is ${given}, which lacks ${missing.join(', ')}` };
  }
  const go = goOnPath();
  const built = builtFolder(go?.version);
  if (built) return { assets: built };
  if (!go) return { problem: `there is no Go to build it with (Go ${neededGo()} or later on the PATH)` };
  if (isOlder(go.version, neededGo())) {
    return { problem: `Go is ${go.version}, and building it needs ${neededGo()} or later` };
  }
  return { buildable: go.version };
}

/** The folder with the programs, which are built if that is needed: minutes, the first time. @throws Error */
export async function ensureControlPlane(say = () => undefined) {
  const found = findControlPlane();
  if (found.assets) return found.assets;
  if (found.problem) throw new Error(found.problem);
  const folder = folderFor(found.buildable);
  await mkdir(cacheFolder(), { recursive: true });
  await underLock(`${folder}.lock`, say, async () => {
    if (!isComplete(folder)) await build(folder, say);
  });
  return folder;
}

/** Builds under a temporary name: whoever sees the folder sees all of it. */
async function build(folder, say) {
  const started = performance.now();
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    say('Building the Kubernetes control plane of the tests (once; 5 to 15 minutes on two processors) ...');
    download(say);
    const output = join(temporary, 'control-plane');
    const options = ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags()];
    go(['build', ...options, '-o', output, '.']);
    for (const name of PROGRAMS) await symlink('control-plane', join(temporary, name));
    await rename(temporary, folder).catch((error) => {
      // Somebody else's build of the same came first.
      if (!isComplete(folder)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  say(`Built ${folder} in ${Math.round((performance.now() - started) / 1000)} s.`);
}

/** Fetches the packages that the build needs: the one part that a hiccup of the network can fail. */
function download(say) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return go(['list', '-mod=readonly', '-deps', '-f', '{{""}}', '.']);
    } catch (error) {
      if (attempt === DOWNLOAD_TRIES) throw error;
      say(`${error.message}\nTrying once more ...`);
    }
  }
}

/** Without it the API server calls itself v0.0.0-master, which clients refuse to talk to. */
function linkerFlags() {
  const { Version: version, Time: time } = JSON.parse(
    go(['list', '-mod=readonly', '-m', '-json', 'k8s.io/kubernetes']),
  );
  const [major, minor] = version.slice(1).split('.');
  const values = {
    gitVersion: version,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    // A module tells its version, not the commit that it was made of.
    gitCommit: 'unknown',
    buildDate: time ?? '1970-01-01T00:00:00Z',
  };
  const stamps = VERSION_PACKAGES.flatMap((name) =>
    Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`),
  );
  return ['-s', '-w', ...stamps].join(' ');
}

/** Runs the go command on the sources. @returns what it printed @throws Error with what it complained about */
function go(args) {
  const { status, stdout, stderr, error, signal } = spawnSync('go', args, {
    cwd: SOURCE,
    encoding: 'utf8',
    timeout: BUILD_MS,
    maxBuffer: 64 * 1024 * 1024,
    // Not what the user's own settings make of it: the result must depend on the sources and the compiler alone.
    env: { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '', CGO_ENABLED: '0' },
  });
  if (status === 0) return stdout;
  const why = error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`);
  throw new Error(`go ${args[0]}: ${why}\n${(stderr ?? '').trim().slice(-4_000)}`);
}

function goOnPath() {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], {
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  });
  return status === 0 ? { version: stdout.trim().replace(/^go/, '') } : undefined;
}

/** The `go` line of the module. */
function neededGo() {
  return /^go (\S+)$/m.exec(readFileSync(join(SOURCE, 'go.mod'), 'utf8'))[1];
}

function isOlder(version, needed) {
  const [left, right] = [version, needed].map((text) =>
    text.split('.').map((part) => Number.parseInt(part, 10)),
  );
  const at = right.findIndex((part, index) => part !== (left[index] ?? 0));
  return at !== -1 && (left[at] ?? 0) < right[at];
}

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'symphony-tests', 'control-plane');
}

/** The build for this Go; without Go, one that any Go has made of the same sources. */
function builtFolder(goVersion) {
  if (goVersion) return isComplete(folderFor(goVersion)) ? folderFor(goVersion) : undefined;
  if (!existsSync(cacheFolder())) return undefined;
  return readdirSync(cacheFolder())
    .filter((name) => name.startsWith(`${sourceKey()}-`))
    .map((name) => join(cacheFolder(), name))
    .find(isComplete);
}

function folderFor(goVersion) {
  return join(cacheFolder(), `${sourceKey()}-go${goVersion}`);
}

/** Changes with every source that is built, and with what builds it. */
function sourceKey() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const files = readdirSync(SOURCE).filter((name) => /\.(go|mod|sum)$/.test(name));
  for (const name of files.toSorted()) hash.update(`${name}\n`).update(readFileSync(join(SOURCE, name)));
  hash.update(readFileSync(new URL(import.meta.url)));
  return hash.digest('hex').slice(0, 16);
}

function isComplete(folder) {
  return !folder.endsWith('.tmp') && PROGRAMS.every((name) => isExecutable(join(folder, name)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets one process at a time build. It only saves work: two builds at once would each be renamed into place as a whole,
 * so a lock that outlived its process may be taken away without more ado.
 */
async function underLock(file, say, work) {
  let told = false;
  while (!(await take(file))) {
    if (!told) say(`Another process builds the Kubernetes control plane (${file}); waiting for it ...`);
    told = true;
    await delay(LOOK_AT_LOCK_MS);
  }
  try {
    await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file) {
  const mine = `${file}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    // A link, so that the lock never exists without its holder's name in it.
    await link(mine, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  } finally {
    await rm(mine, { force: true });
  }
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
