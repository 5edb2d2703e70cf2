import { setMaxListeners } from 'node:events';
import pLimit from 'p-limit';
import { mockControl, type MockControl } from '../../../src/modules/providers/index.js';
import { sql } from '../../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../../support/engine.js';

/** Requests that a test has under way at once. */
const CLIENTS = 16;
/** Generous: what is asserted is a ratio, and this only ends a test that would hang. */
const DEADLINE_MS = 120_000;
/** What a call to a healthy target takes. */
const LATENCY_MS = 5;

/** What is wrong with a target, in the words of the mock provider. */
export type Fault = 'hangGet' | 'hangApply' | 'failGet';

/** One engine with mock targets `t0`, `t1`, …, on a database of its own. */
export class Fleet {
  private constructor(
    readonly engine: TestEngine,
    private readonly name: string,
  ) {}

  /** @param name begins the ids of the mock targets, which are shared by all fleets of the process. */
  static async start(name: string): Promise<Fleet> {
    return new Fleet(await TestEngine.start({ config: { 'queue.drainSeconds': 1 } }), name);
  }

  stop(): Promise<void> {
    return this.engine.stop();
  }

  mock(target: number): MockControl {
    return mockControl(`${this.name}-${target}`);
  }

  /** Declares targets, those of `faults` with that fault from the start. */
  async targets(count: number, faults: ReadonlyMap<number, Fault> = new Map()): Promise<void> {
    await forEach(count, async (i) => {
      const fault = faults.get(i);
      if (fault) this.mock(i).set({ [fault]: true });
      const config = { latencyMs: String(LATENCY_MS) };
      await this.engine.target(`t${i}`, {
        topologies: mockTopology(`${this.name}-${i}`, config),
        properties: { fleet: this.name },
      });
    });
    await this.succeeded('Target', 't', count);
  }

  /** Of one component, which shows the parameter `rev` of its instance. */
  solution(name: string, component = 'web'): Promise<unknown> {
    return this.engine.solution(name, [
      { name: component, properties: { rev: "${{$param('rev')}}" }, parameters: { rev: '' } },
    ]);
  }

  /** Writes an instance for one target, or for all of them. */
  instance(name: string, solution: string, rev: string, target?: number): Promise<unknown> {
    return this.engine.instance(name, {
      solution,
      parameters: { rev },
      target: target === undefined ? { selector: { fleet: this.name } } : { name: `t${target}` },
    });
  }

  /** Resolves when each of these targets holds the component as of that revision. */
  async reached(targets: readonly number[], rev: string, component = 'web'): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    setMaxListeners(0, signal);
    await Promise.all(
      targets.map(async (target) => {
        const holds = (mock: MockControl): boolean =>
          mock.contents.some(({ name, properties }) => name === component && properties?.rev === rev);
        await this.mock(target)
          .until(holds, signal)
          .catch(() => {
            const held = JSON.stringify(this.mock(target).contents);
            throw new Error(`target t${target} of ${this.name} never came to ${rev}; it holds ${held}`);
          });
      }),
    );
  }

  /** Waits until so many objects whose name begins like this are `Succeeded` for their newest generation. */
  async succeeded(kind: 'Instance' | 'Target', prefix: string, count: number): Promise<void> {
    await this.engine.until(
      `${count} of ${kind} ${prefix}* to be Succeeded`,
      async () => ((await this.#succeeded(kind, prefix)) >= count ? true : undefined),
      () => this.#succeeded(kind, prefix),
      DEADLINE_MS,
    );
  }

  async #succeeded(kind: string, prefix: string): Promise<number> {
    const [row] = await sql<{ count: number }>(
      this.engine,
      `SELECT count(*)::int AS count FROM objects o JOIN object_status s USING (uid)
       WHERE o.kind = $1 AND o.name LIKE $2 || '%' AND s.engine->>'status' = 'Succeeded'
         AND (s.engine->>'observedGeneration')::bigint = o.generation`,
      [kind, prefix],
    );
    return row?.count ?? 0;
  }
}

/** Calls `work` for 0 to count - 1, several at once. */
export async function forEach(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  const limit = pLimit(CLIENTS);
  await Promise.all(Array.from({ length: count }, (_, i) => limit(() => work(i))));
}

/** 0 to count - 1. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** For the report of a test run: what the assertion is about, whether or not it holds. */
export function say(what: string, alone: readonly number[], beside: readonly number[]): void {
  const list = (values: readonly number[]): string => values.map((value) => Math.round(value)).join(', ');
  process.stdout.write(`${what}: alone ${list(alone)} ms; beside ${list(beside)} ms\n`);
}
