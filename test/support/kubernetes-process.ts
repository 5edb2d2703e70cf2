import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freeLease } from './free-lease.js';

const HOOKS = fileURLToPath(new URL('./typescript-hooks.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START_MS = 120_000;
const STOP_MS = 60_000;
const LEASE_SECONDS = 20;

/** None outlives the tests, however those end. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface KubernetesProcessOptions {
  kubeconfig: string;
  /** What it serves; its Lease is in the first one. */
  namespaces: readonly string[];
  /** Default 20: no machine is so slow that a leader loses it by that. After a kill nobody has to wait for its end: `freeLease`. */
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
  /** It had no time to give its Lease away. */
  #killed = false;

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

  /** Starts it, again after it has ended, and waits until it leads. The Lease of one that was killed is free by then. */
  async begin(): Promise<void> {
    // Without an answer, or the right to it, the time of the Lease has to pass.
    await this.freeLease().catch(() => undefined);
    const { kubeconfig, namespaces, leaseSeconds = LEASE_SECONDS, args = [], main } = this.options;
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
    this.#killed ||= signal === 'SIGKILL';
    this.#child?.kill(signal);
    await this.#exited;
  }

  /** As if the Lease of this process had passed, which was killed; nothing when it did not hold it. */
  async freeLease(): Promise<void> {
    const { kubeconfig, namespaces } = this.options;
    const led = this.#output.split('\n').findLast((line) => line.includes('"msg":"This process leads"'));
    if (!this.#killed || led === undefined) return;
    const { identity: holder } = JSON.parse(led) as { identity: string };
    await freeLease({ kubeconfig, namespace: namespaces[0] ?? 'default', holder });
    this.#killed = false;
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
