import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Calls, numberIn, withoutNumber } from './calls.js';

type Operation = 'get' | 'apply' | 'remove';

interface Asked {
  operation: Operation;
  target: string;
  instance: string;
  /** Of the script. */
  pid: number;
  /** Process id of the operator that started it. */
  operator: number;
  components: { name: string; properties?: unknown }[];
}

/** A call of a provider that arrived at its target. */
export interface ProviderCall extends Asked {
  /** By `performance.now()`. */
  at: number;
  carriedOut: boolean;
}

/** Tells the targets what it was told, and the engine what they answer. */
const SCRIPT = (url: string, operation: Operation): string => `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs');
const { request } = require('node:http');
const [, , deployment, references] = process.argv;
const { SYMPHONY_TARGET: target, SYMPHONY_INSTANCE: instance } = process.env;
const given = JSON.parse(readFileSync(references, 'utf8'));
const components = given.map((item) => item.component ?? item);
const operation = '${operation}';
const asked = { operation, target, instance, pid: process.pid, operator: process.ppid, components };
const call = request('${url}', { method: 'POST' }, (answer) => {
  let text = '';
  answer.on('data', (chunk) => (text += chunk));
  answer.on('end', () => {
    if (answer.statusCode !== 200) process.exit(1);
    writeFileSync(deployment.replace(/\\.json$/, operation === 'get' ? '-get-output.json' : '-output.json'), text);
  });
});
call.on('error', () => process.exit(1));
call.end(JSON.stringify(asked));
`;

/**
 * Targets outside of all engines, reached by real scripts that ask this process: it carries out what they want, in its
 * memory, knows which operator wanted it, and may hold it up.
 */
export class ScriptedTargets {
  readonly calls: ProviderCall[] = [];
  /** Calls that came while another for the same instance and target was under way. */
  readonly overlaps: string[] = [];
  readonly #there = new Map<string, Map<string, unknown>>();
  readonly #open = new Map<string, Asked>();

  private constructor(
    private readonly server: Server,
    readonly folder: string,
    readonly points: Calls,
  ) {
    server.on('request', (incoming, answer) => void this.#serve(incoming, answer));
  }

  static async start(points = new Calls()): Promise<ScriptedTargets> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const folder = await mkdtemp(join(tmpdir(), 'symphony-targets-'));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const operation of ['get', 'apply', 'remove'] as const) {
      await writeFile(join(folder, operation), SCRIPT(url, operation));
      await chmod(join(folder, operation), 0o755);
    }
    return new ScriptedTargets(server, folder, points);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  /** The flag that lets an engine run the scripts. */
  get flag(): string {
    return `--providers-script-allowed-folders=${this.folder}`;
  }

  /** Of a target here. */
  get topologies(): object[] {
    const scripts = { getScript: 'get', applyScript: 'apply', removeScript: 'remove' };
    const config = { scriptFolder: this.folder, ...scripts };
    return [{ bindings: [{ role: 'instance', provider: 'providers.target.script', config }] }];
  }

  /** What is on the targets of a life, by the names of the target and the component. */
  of(life: string): Record<string, Record<string, unknown>> {
    const targets = [...this.#there].filter(([target]) => numberIn(target) === life);
    return Object.fromEntries(
      targets.map(([target, there]) => [withoutNumber(target), Object.fromEntries(inOrder(there))]),
    );
  }

  /** Somebody else takes a component away. */
  lose(target: string, component: string): void {
    this.#there.get(target)?.delete(component);
  }

  /** `a@near`, for each time that something was taken off a target of a life. */
  removals(life: string): string[] {
    return this.calls
      .filter(({ operation, target, carriedOut }) => {
        return operation === 'remove' && carriedOut && numberIn(target) === life;
      })
      .flatMap(({ target, components }) => components.map(({ name }) => `${name}@${withoutNumber(target)}`));
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of incoming as AsyncIterable<Uint8Array>) chunks.push(chunk);
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
    const { operation, target, instance, components } = asked;
    const call: ProviderCall = { ...asked, at: performance.now(), carriedOut: false };
    this.calls.push(call);
    const key = `${instance}@${target}`;
    const other = this.#open.get(key);
    if (other && (await lives(other.pid))) this.overlaps.push(`${other.operation} and ${operation} ${key}`);
    this.#open.set(key, asked);
    const names = components.map(({ name }) => name).toSorted();
    const what = `${operation} ${withoutNumber(target)} ${names.join(' ')}`;
    const passing = this.points.note({ life: numberIn(instance), what });
    await passing.before();
    // Whoever waits no longer has been ended: nothing comes of it.
    if (answer.destroyed) return;
    const result = this.#carryOut(operation, target, components);
    call.carriedOut = true;
    await passing.after();
    if (this.#open.get(key) === asked) this.#open.delete(key);
    answer.end(JSON.stringify(result));
  }

  #carryOut(operation: Operation, target: string, components: Asked['components']): unknown {
    const there = this.#there.get(target) ?? new Map<string, unknown>();
    this.#there.set(target, there);
    if (operation === 'get') {
      const found = components.filter(({ name }) => there.has(name));
      return found.map(({ name }) => ({ name, properties: there.get(name) }));
    }
    for (const { name, properties } of components) {
      if (operation === 'apply') there.set(name, properties);
      else there.delete(name);
    }
    const status = operation === 'apply' ? 8004 : 8005;
    return Object.fromEntries(components.map(({ name }) => [name, { status, message: '' }]));
  }
}

function inOrder(there: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...there].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** One that was killed, and only waits to be buried, does not. */
async function lives(pid: number): Promise<boolean> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3));
  } catch {
    return false;
  }
}
