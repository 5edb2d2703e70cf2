// One engine process, and a client of its REST API. Only Node's own modules.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './prepare.mjs';

const READY_MS = 120_000;
const STOP_MS = 60_000;
const REQUEST_MS = 15_000;
/** Enough of the log to say why an engine ended. */
const SHOWN_LINES = 20;

export class Engine {
  #child;
  #exit;
  #token;
  #stopped = false;

  /** @param options {dataDir, logFile, port, args} */
  constructor(options) {
    this.options = options;
    this.url = `http://127.0.0.1:${options.port}`;
  }

  get pid() {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it serves. */
  async start() {
    if (this.#stopped) throw new Error('the engine has been stopped.');
    const { dataDir, logFile, port, args = [] } = this.options;
    const command = [
      join(ROOT, 'dist', 'main'),
      '--mode=standalone',
      '--data-dir',
      dataDir,
      '--port',
      String(port),
      ...args,
    ];
    // The log goes to a file: an engine that outlives this script must not write to a pipe that nobody reads.
    const log = openSync(logFile, 'a');
    // A group of its own: Ctrl-C reaches only this script, which then ends the engine in order.
    this.#child = spawn(process.execPath, command, {
      cwd: ROOT,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#exit = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    await this.#ready();
  }

  /** Lets the process live on after this script. */
  letGo() {
    this.#child.unref();
  }

  /** The last lines that the engine wrote. */
  log() {
    try {
      return readFileSync(this.options.logFile, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
    } catch {
      return '';
    }
  }

  /** Ends the process in order, by force when it takes too long. From then on it cannot be started again. */
  async stop() {
    this.#stopped = true;
    if (!this.#running()) return;
    this.#child.kill('SIGTERM');
    const stopped = await Promise.race([this.#exit.then(() => true), delay(STOP_MS, false, { ref: false })]);
    if (!stopped) await this.kill();
  }

  /** Ends the process as a power failure would. */
  async kill() {
    if (!this.#running()) return;
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  async logIn() {
    const reply = await this.call('POST', 'users/auth', { username: 'admin', password: '' });
    this.#token = reply.accessToken;
  }

  /** Calls a route below /v1alpha2. Undefined is the answer of a GET for what is not there; others are errors. */
  async call(method, route, body) {
    const response = await this.#fetch(`/v1alpha2/${route}`, {
      method,
      headers: {
        ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (method === 'GET' && response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${method} /v1alpha2/${route} answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async #ready() {
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline) {
      const ended = await Promise.race([this.#exit, delay(100)]);
      if (ended !== undefined) throw new Error(`the engine ended at its start (${ended}).`);
      const response = await this.#fetch('/readyz', {}).catch(() => undefined);
      if (response?.ok) return;
    }
    throw new Error(`the engine was not ready within ${READY_MS / 1000} seconds.`);
  }

  #fetch(path, init) {
    return fetch(this.url + path, { ...init, signal: AbortSignal.timeout(REQUEST_MS) });
  }

  #running() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

/** A port on loopback that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
