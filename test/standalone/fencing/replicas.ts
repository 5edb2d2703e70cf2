import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { EngineProcess } from '../../support/engine-process.js';
import { createTestDatabase } from '../../support/postgres.js';
import { parsePrometheus, valueOf } from '../../support/prometheus.js';
import { ScriptWorld } from '../../support/script-world.js';

/** A busy machine stands still for seconds without losing it. A take-over comes a third later. */
export const LEASE_SECONDS = 8;

/** Everything that runs write. */
const WRITTEN_BY_RUNS = ['ledger', 'lanes', 'object_status', 'objects', 'runs', 'summaries'] as const;

/** Two engines on one database and one machine, and the world that their scripts change. */
export class Replicas {
  readonly #stopped = new Set<number>();

  private constructor(
    readonly world: ScriptWorld,
    readonly engines: readonly [EngineProcess, EngineProcess],
    readonly databaseUrl: string,
    private readonly observer: Client,
    private readonly undo: () => Promise<void>,
  ) {}

  static async start(options: { inDescendant?: boolean } = {}): Promise<Replicas> {
    const world = await ScriptWorld.make(options);
    const temporary = await mkdtemp(join(tmpdir(), 'symphony-fencing-'));
    const database = await createTestDatabase('fencing');
    const start = (): Promise<EngineProcess> =>
      EngineProcess.start({
        databaseUrl: database.url,
        // No run but those that are asked for.
        args: [world.flag, `--queue-lease-seconds=${LEASE_SECONDS}`, '--reconcile-interval=0'],
        env: { TMPDIR: temporary },
      });
    const engines = await Promise.all([start(), start()]);
    const observer = new Client({ connectionString: database.url });
    observer.on('error', () => undefined);
    await observer.connect();
    return new Replicas(world, engines, database.url, observer, async () => {
      await observer.end();
      await Promise.all(engines.map((engine) => engine.kill()));
      await database.drop();
      await world.dispose();
      await rm(temporary, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    });
  }

  async dispose(): Promise<void> {
    for (const pid of this.#stopped) trySignal(pid, 'SIGCONT');
    await this.undo();
  }

  async query<T>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    return (await this.observer.query(text, [...values])).rows as T[];
  }

  /** The engine that runs the lane of an instance, and the other one. */
  async holderOf(name: string): Promise<{ holder: EngineProcess; other: EngineProcess }> {
    const [a, b] = this.engines;
    const worker = await a.until('somebody to run the lane', async () => {
      const [lane] = await this.query<{ worker: string | null }>('SELECT worker FROM lanes WHERE name = $1', [
        name,
      ]);
      return lane?.worker ?? undefined;
    });
    const holds = (engine: EngineProcess): boolean => worker.includes(`-${engine.pid}-`);
    if (holds(a) === holds(b)) throw new Error(`whose worker is ${worker}?`);
    return holds(a) ? { holder: a, other: b } : { holder: b, other: a };
  }

  /** Waits for a script that applies an instance. @returns its process id, or that of the descendant at work */
  async applying(instance: string): Promise<number> {
    return this.engines[0].until('a script to apply', async () => {
      const notes = (await this.world.notes()).filter((note) => note.instance === instance);
      const last = notes.at(-1);
      const works = last?.what === 'begin' && last.operation === 'apply';
      return works ? await this.world.scriptOf(instance) : undefined;
    });
  }

  stop(engine: EngineProcess): void {
    this.#stopped.add(engine.pid ?? 0);
    process.kill(engine.pid ?? 0, 'SIGSTOP');
  }

  /** Lets an engine that stands still go on. */
  resume(engine: EngineProcess): void {
    this.#stopped.delete(engine.pid ?? 0);
    process.kill(engine.pid ?? 0, 'SIGCONT');
  }

  /** The engine that one of the scripts stopped. */
  async stoppedByScript(): Promise<EngineProcess> {
    return this.engines[0].until('a script to stop its engine', async () => {
      if (!(await this.world.hasStoppedEngine())) return undefined;
      for (const engine of this.engines) {
        if ((await stateOf(engine.pid ?? 0)) !== 'T') continue;
        this.#stopped.add(engine.pid ?? 0);
        return engine;
      }
      return undefined;
    });
  }

  /** Waits until an engine that went on has given up all that it did, and serves under a new name. */
  async givenUp(engine: EngineProcess): Promise<void> {
    await engine.until('the engine to give up its runs', async () => {
      const lost = (await metric(engine, 'symphony_lease_losses_total')) ?? 0;
      const active = await metric(engine, 'symphony_runs_active');
      const registered = await this.query('SELECT FROM workers WHERE id LIKE $1 AND lease_until > now()', [
        `%-${engine.pid}-%`,
      ]);
      return lost > 0 && active === 0 && registered.length > 0 ? true : undefined;
    });
  }

  /** All that runs wrote so far, here and in the world. */
  async everything(): Promise<string[]> {
    const rows: string[] = [];
    for (const table of WRITTEN_BY_RUNS) {
      const found = await this.query<{ row: string }>(`SELECT t::text AS row FROM ${table} AS t ORDER BY 1`);
      rows.push(...found.map(({ row }) => `${table}: ${row}`));
    }
    const notes = (await this.world.notes()).map((note) => `script: ${JSON.stringify(note)}`);
    return [...rows, ...notes, ...(await this.world.deployed())];
  }
}

export async function metric(engine: EngineProcess, name: string): Promise<number | undefined> {
  const answer = await fetch(`${engine.url}/metrics`, { headers: engine.authorization });
  return valueOf(parsePrometheus(await answer.text()), name);
}

/** The letter of the kernel: R, S, D, T (stopped), Z (dead); undefined when there is none. */
async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' ? undefined : stat[stat.lastIndexOf(')') + 2];
}

/** Whether a process is at work or could be. */
export async function runs(pid: number): Promise<boolean> {
  return !['Z', 'X', undefined].includes(await stateOf(pid));
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}
