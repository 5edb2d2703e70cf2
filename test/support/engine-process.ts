import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { builtMain } from './built.js';
import { configKey } from '../../src/config/keys.js';
import { placeOf, type EnginePlace } from './engine-place.js';
import { PlacedClient } from './placed-client.js';

type Where =
  | { /** Folder of the embedded database. */ dataDir: string }
  | { databaseUrl: string }
  | { /** Of either mode; whoever opened it drops it. */ place: EnginePlace };

export type EngineProcessOptions = Where & {
  /** Further flags, for example `--queue-concurrency=4`. */
  args?: readonly string[];
  /** Another build than the present one: its `dist/main`. */
  main?: string;
  /** Further environment; that of the test is not passed on. */
  env?: Readonly<Record<string, string>>;
};

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const START_MS = 60_000;
const READY_MS = 30_000;
const STOP_MS = 40_000;

/** Engines that run: none outlives the tests, however those end. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The real thing: `node dist/main` as a process of its own, to be killed and started again. */
export class EngineProcess extends PlacedClient {
  #child: ChildProcess | undefined;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  #output = '';

  private constructor(private readonly options: EngineProcessOptions) {
    super('', placeIn(options));
  }

  /** Starts the process on a free port, waits until it is ready and logs in. */
  static async start(options: EngineProcessOptions): Promise<EngineProcess> {
    const engine = new EngineProcess(options);
    await engine.begin();
    return engine;
  }

  /** Everything that the process wrote, and those before it that were started by `begin`. */
  get output(): string {
    return this.#output;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<Exit> {
    return this.#exited;
  }

  /** Starts the process, again after it has ended; its port is another one then. */
  async begin(): Promise<void> {
    if (this.alive) throw new Error('The engine runs already.');
    const { options, place } = this;
    const { flags, env } = started({ mode: 'standalone', ...place.flags, ...place.flagsOfProcess });
    const child = spawn(
      process.execPath,
      [options.main ?? (await builtMain()), '--port=0', ...flags, ...(options.args ?? [])],
      {
        env: { PATH: process.env['PATH'] ?? '', ...env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    running.add(child);
    this.#exited = new Promise((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    void this.#exited.then(() => running.delete(child));
    try {
      this.url = await this.#listening(child);
      await this.ready();
      await place.serves(this.url);
      await this.login('admin', place.password);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Waits until `/readyz` is 200. */
  async ready(): Promise<void> {
    await this.until(
      'the engine to be ready',
      async () => ((await this.readyz())?.status === 200 ? true : undefined),
      async () => this.#output.slice(-4000),
      READY_MS,
    );
  }

  /** What `/readyz` answers; undefined when nobody does. */
  async readyz(): Promise<{ status: number; text: string } | undefined> {
    const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(READY_MS) }).catch(
      () => undefined,
    );
    return response && { status: response.status, text: await response.text() };
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.#child?.kill(signal);
    return this.#exited;
  }

  /** Ends the process in order, by force when it takes too long. */
  async stop(): Promise<Exit> {
    this.#child?.kill('SIGTERM');
    const exit = await Promise.race([this.#exited, delay(STOP_MS, undefined, { ref: false })]);
    if (exit) return exit;
    await this.kill();
    throw new Error(`The engine did not end within ${STOP_MS} ms of SIGTERM:\n${this.#output.slice(-4000)}`);
  }

  /** Reads both outputs for as long as the process lives; resolves with the address that it listens on. */
  async #listening(child: ChildProcess): Promise<string> {
    const { stdout, stderr } = child;
    if (!stdout || !stderr) throw new Error('The engine has no pipes.');
    stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    const address = new Promise<string>((resolve) => {
      createInterface({ input: stdout }).on('line', (line) => {
        this.#output += `${line}\n`;
        const url = /"url":"([^"]+)".*"msg":"Listening"/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const url = await Promise.race([
      address,
      this.#exited.then(() => undefined),
      delay(START_MS, undefined, { ref: false }),
    ]);
    if (url === undefined) throw new Error(`The engine did not start:\n${this.#output.slice(-4000)}`);
    return url;
  }
}

function placeIn(options: Where): EnginePlace {
  if ('place' in options) return options.place;
  if ('dataDir' in options) return placeOf(options.dataDir, { dataDir: options.dataDir });
  return placeOf(options.databaseUrl, { databaseUrl: options.databaseUrl });
}

/** Configuration as the command line and the environment say it; what has no flag goes into the environment. */
function started(values: Readonly<Record<string, unknown>>): {
  flags: string[];
  env: Record<string, string>;
} {
  const flags = [];
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) {
    const known = configKey(key);
    if (known?.flag !== undefined) flags.push(`--${known.flag}=${String(value)}`);
    else if (known?.env !== undefined) env[known.env] = String(value);
    else throw new Error(`there is no configuration key ${key}`);
  }
  return { flags, env };
}
