import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfig, type KubernetesConnection } from './connection.js';

const KUBECTL_MS = 60_000;

export interface KubectlOptions {
  /** Of what names none itself: `default` when left out. */
  namespace?: string;
  /** Its standard input, for `-f -`: text, or objects that become JSON. */
  input?: string | readonly object[];
  /** After so many ms it is killed. */
  timeoutMs?: number;
}

export interface KubectlResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** kubectl as one user. Nothing of this machine's own configuration reaches it. */
export class Kubectl {
  readonly #folder = mkdtempSync(join(tmpdir(), 'symphony-kubectl-'));
  readonly #remove = (): void => rmSync(this.#folder, { recursive: true, force: true });
  /** For other programs that take a kubeconfig. */
  readonly kubeconfigFile = join(this.#folder, 'config');

  constructor(
    readonly program: string,
    connection: KubernetesConnection,
  ) {
    writeFileSync(this.kubeconfigFile, kubeconfig(connection), { mode: 0o600 });
    process.once('exit', this.#remove);
  }

  /** What it printed. @throws Error with its words when it fails */
  async run(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** For what may fail. */
  async attempt(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
    const { namespace, input = '', timeoutMs = KUBECTL_MS } = options;
    const child = spawn(this.program, [...(namespace ? [`--namespace=${namespace}`] : []), ...args], {
      // A home of its own: its caches and preferences must not come from elsewhere.
      env: { PATH: process.env['PATH'], HOME: this.#folder, KUBECONFIG: this.kubeconfigFile },
      signal: AbortSignal.timeout(timeoutMs),
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // It may refuse its arguments before it reads.
    child.stdin.on('error', () => undefined);
    child.stdin.end(typeof input === 'string' ? input : asList(input));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? -1, stdout, stderr };
  }

  close(): void {
    process.removeListener('exit', this.#remove);
    this.#remove();
  }
}

function asList(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
