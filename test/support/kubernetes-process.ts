import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HOOKS = fileURLToPath(new URL('./typescript-hooks.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START_MS = 120_000;
const STOP_MS = 60_000;

/** None outlives the tests, however those end. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface KubernetesProcessOptions {
  kubeconfig: string;
  /** What it serves; its Lease is in the first one. */
  namespaces: readonly string[];
  /** Default 6: a killed one is followed soon. */
  leaseSeconds?: number;
  /** Further flags. */
  args?: readonly string[];
  /** It need not lead: another one does. */
  follows?: boolean;
  /** A built engine, `dist/main`, in place of the source. */
  main?: string;
}

/** An engine of Kubernetes mode as a process of its own, from source; to be killed and started again. */
export class KubernetesProcess {
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #output = '';
  #url = '';

  private constructor(private readonly options: KubernetesProcessOptions) {}

  /** Resolves when it leads. */
  static async start(options: KubernetesProcessOptions): Promise<KubernetesProcess> {
    const engine = new KubernetesProcess(options);
    await engine.begin();
    return engine;
  }

  /** What it wrote, and those before it. */
  get output(): string {
    return this.#output;
  }

  /** Without `/v1alpha2`; another one after each `begin`. */
  get url(): string {
    return this.#url;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, again after it has ended, and waits until it leads. */
  async begin(): Promise<void> {
    const { kubeconfig, namespaces, leaseSeconds = 6, args = [], main } = this.options;
    const [home = 'default'] = namespaces;
    const flags = [
      '--mode=k8s',
      '--port=0',
      `--kubernetes-kubeconfig=${kubeconfig}`,
      `--kubernetes-namespaces=${namespaces.join(',')}`,
      `--kubernetes-lease-namespace=${home}`,
      `--kubernetes-lease-seconds=${leaseSeconds}`,
      ...args,
    ];
    const program = main === undefined ? ['--import', HOOKS, MAIN] : [main];
    const child = spawn(process.execPath, [...program, ...flags], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    this.#exited = new Promise((resolve) => child.once('close', resolve));
    void this.#exited.then(() => running.delete(child));
    const leads = this.#reading(child);
    const led = await Promise.race([
      leads.then(() => true),
      this.#exited.then(() => false),
      delay(START_MS, false, { ref: false }),
    ]);
    if (led) return;
    await this.kill();
    throw new Error(`The engine does not lead:\n${this.#output.slice(-4000)}`);
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    await this.#exited;
  }

  /** Ends it in order, which hands the leadership over; by force when that takes too long. */
  async stop(): Promise<void> {
    const ended = this.kill('SIGTERM').then(() => true);
    if (await Promise.race([ended, delay(STOP_MS, false, { ref: false })])) return;
    await this.kill();
    throw new Error(`The engine did not end:\n${this.#output.slice(-4000)}`);
  }

  /** Reads both outputs for as long as the process lives; resolves when it listens, and leads where it has to. */
  #reading(child: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
      let leads = this.options.follows ?? false;
      let listens = false;
      const look = (line: string): void => {
        this.#output += `${line}\n`;
        leads ||= line.includes('"msg":"This replica leads"');
        const url = /"url":"([^"]+)".*"msg":"Listening"/.exec(line)?.[1];
        if (url !== undefined) {
          listens = true;
          this.#url = url;
        }
        if (leads && listens) resolve();
      };
      for (const stream of [child.stdout, child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', look);
      }
    });
  }
}
