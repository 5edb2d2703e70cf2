import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { describe, it } from 'vitest';

const BUSYBOX = '/bin/busybox';
const READY_MS = 60_000;
const STOP_MS = 20_000;
const APPLETS = ['sh', 'sleep', 'httpd', 'cat', 'echo', 'printf', 'wget', 'true', 'false'];

/** A real Docker engine for one test file, with two images made on the spot: there is no registry to pull from. */
export interface TestDocker {
  /** For the configuration of a binding. */
  host: string;
  /** Two names of one image with busybox; it runs what it is told. */
  images: readonly [string, string];
  /** A bridge network: in it ports can be published and names are resolved. */
  network: string;
  /** The engine's API, past the provider. @throws Error for a status from 400 */
  api<T = unknown>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>;
  stop(): Promise<void>;
}

const given = process.env['SYMPHONY_TEST_DOCKER_HOST'];

/** Why there is no engine for tests; undefined when there is one. */
function missing(): string | undefined {
  if (given) return undefined;
  if (process.getuid?.() !== 0) return 'dockerd needs root';
  if (!findDockerd()) return 'dockerd is not installed (Debian: docker.io, iptables, busybox-static)';
  if (!isExecutable(BUSYBOX)) return `${BUSYBOX} is not installed (Debian: busybox-static)`;
  return undefined;
}

/** Tests that need a Docker engine: without one they fail with CI=true, and are skipped by name elsewhere. */
export function describeDocker(name: string, body: () => void): void {
  const problem = missing();
  if (problem === undefined) {
    describe(name, body);
  } else if (process.env['CI'] === 'true') {
    describe(name, () => {
      it('has a Docker engine', () => {
        throw new Error(`${problem}; with CI=true its tests must run`);
      });
    });
  } else {
    process.stderr.write(`\nSKIPPED for want of a Docker engine: ${name}. ${problem}.\n`);
    describe.skip(name, body);
  }
}

/** Starts an engine of its own in a temporary folder, or takes that of SYMPHONY_TEST_DOCKER_HOST. */
export async function startDocker(): Promise<TestDocker> {
  const daemon = given ? undefined : await startDaemon();
  const host = given ?? `unix://${daemon?.socket ?? ''}`;
  const name = `symphony-test-${randomBytes(4).toString('hex')}`;
  const client = new ApiClient(host);
  try {
    const images = [`${name}:1`, `${name}:2`] as const;
    await client.importImage(await rootfs(), name);
    await client.api('POST', `/images/${name}:1/tag?repo=${name}&tag=2`);
    await client.api('POST', '/networks/create', { Name: name, Driver: 'bridge' });
    return {
      host,
      images,
      network: name,
      api: (method, path, body) => client.api(method, path, body),
      async stop() {
        try {
          await client.removeAll(name);
        } finally {
          await client.close();
          await daemon?.stop();
        }
      },
    };
  } catch (error) {
    await client.close();
    await daemon?.stop();
    throw error;
  }
}

interface Daemon {
  socket: string;
  stop(): Promise<void>;
}

async function startDaemon(): Promise<Daemon> {
  const root = await mkdtemp(join(tmpdir(), 'symphony-docker-'));
  const socket = join(root, 'docker.sock');
  const log = join(root, 'log');
  const output = await open(log, 'w');
  const folders = ['--data-root', join(root, 'data'), '--exec-root', join(root, 'exec')];
  // Nothing of the host is touched: neither its packet filter nor its default bridge.
  const apart = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--shutdown-timeout', '2'];
  const args = [...folders, '--pidfile', join(root, 'pid'), '-H', `unix://${socket}`, ...apart];
  const dockerd = findDockerd() ?? 'dockerd';
  // Ends with the test process, however that ends.
  const wrapped = isExecutable('/usr/bin/setpriv')
    ? ['/usr/bin/setpriv', '--pdeathsig', 'TERM', dockerd]
    : [dockerd];
  const [command = dockerd, ...before] = wrapped;
  const child = spawn(command, [...before, ...args], { stdio: ['ignore', output.fd, output.fd] });
  await output.close();
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await ready(child, socket);
  } catch (error) {
    const words = (await readFile(log, 'utf8').catch(() => '')).slice(-2_000);
    await stop();
    throw new Error(`dockerd did not start: ${words}`, { cause: error });
  }
  return { socket, stop };
}

async function ready(child: ChildProcess, socket: string): Promise<void> {
  const client = new ApiClient(`unix://${socket}`);
  const deadline = performance.now() + READY_MS;
  try {
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
      if (
        await client.api('GET', '/version').then(
          () => true,
          () => false,
        )
      )
        return;
      if (performance.now() > deadline) throw new Error(`it does not answer after ${READY_MS / 1000} s`);
      await delay(50);
    }
  } finally {
    await client.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(hard);
}

/** A tar file with busybox and nothing else: what the images of the tests are made of. */
export async function rootfs(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'symphony-rootfs-'));
  try {
    for (const name of ['bin', 'tmp', 'data']) await mkdir(join(folder, name));
    await copyFile(BUSYBOX, join(folder, 'bin', 'busybox'));
    for (const applet of APPLETS) await symlink('busybox', join(folder, 'bin', applet));
    const options = { encoding: 'buffer' as const, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)('tar', ['-C', folder, '-c', '.'], options)).stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class ApiClient {
  readonly #agent: Agent;
  readonly #origin: string;

  constructor(host: string) {
    const socketPath = host.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
    this.#agent = new Agent(socketPath === undefined ? {} : { connect: { socketPath } });
    this.#origin = socketPath === undefined ? host.replace('tcp:', 'http:') : 'http://docker';
  }

  async api<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const answer = await request(`${this.#origin}${path}`, {
      dispatcher: this.#agent,
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return parsed<T>(method, path, answer.statusCode, await answer.body.text());
  }

  async importImage(tar: Buffer, name: string): Promise<void> {
    const path = `/images/create?fromSrc=-&repo=${name}&tag=1&changes=${encodeURIComponent('ENV PATH=/bin')}`;
    const headers = { 'content-type': 'application/x-tar' };
    const answer = await request(`${this.#origin}${path}`, {
      dispatcher: this.#agent,
      method: 'POST',
      body: tar,
      headers,
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400 || text.includes('"error"')) throw new Error(`import failed: ${text}`);
  }

  /** The containers of the test's images, then what was made for it. */
  async removeAll(name: string): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ ancestor: [`${name}:1`] }));
    const containers = await this.api<{ Id: string }[]>('GET', `/containers/json?all=1&filters=${filters}`);
    const remove = (path: string): Promise<unknown> => this.api('DELETE', path).catch(() => undefined);
    await Promise.all(containers.map(({ Id }) => remove(`/containers/${Id}?force=1&v=1`)));
    await remove(`/networks/${name}`);
    for (const tag of ['1', '2']) await remove(`/images/${name}:${tag}`);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function parsed<T>(method: string, path: string, status: number, text: string): T {
  if (status >= 400) throw new Error(`${method} ${path} answered ${status}: ${text}`);
  return (text.trim().startsWith('{') || text.trim().startsWith('[') ? JSON.parse(text) : text) as T;
}

function findDockerd(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'dockerd')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
