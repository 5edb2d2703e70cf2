import { expect } from 'vitest';
import { mockTopology } from '../../support/engine.js';
import type { EngineClient } from '../../support/engine-client.js';

const INSTANCES = 20;
const TARGETS = 4;
const WRITERS = [0, 1, 2];

/** What the load changes: instances whose component depends on a parameter of theirs. */
export async function declareLoad(engine: EngineClient): Promise<void> {
  const component = { name: 'c', properties: { turn: '${{$param(turn)}}' }, parameters: { turn: '0' } };
  await engine.solution('app', [component]);
  for (let n = 0; n < TARGETS; n++) await engine.target(`t${n}`, { topologies: mockTopology(`load-${n}`) });
}

/** Changes instances without a pause, through whichever engines there are at the moment. */
export class Load {
  engines: readonly EngineClient[];
  /** What was not answered by 200. */
  readonly failures: { status: number | 'no answer'; text: string }[] = [];
  /** Milliseconds that the slowest answer took. */
  slowest = 0;
  /** Answers by 200. */
  accepted = 0;
  /** The newest change of each instance that was answered by 200. */
  readonly #newest = new Map<string, number>();
  /** The engines that were asked something and have not answered yet, by writer. */
  readonly #asked = new Map<number, EngineClient>();
  readonly #ending = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(engine: EngineClient) {
    this.engines = [engine];
    this.#done = Promise.all(WRITERS.map((writer) => this.#write(writer)));
  }

  /** From now on through this engine alone; resolves when the others have answered what they were asked. */
  async only(engine: EngineClient): Promise<void> {
    this.engines = [engine];
    await engine.until('the other engines to have answered', async () =>
      [...this.#asked.values()].every((asked) => asked === engine) ? true : undefined,
    );
  }

  /** Waits for so many more accepted changes. */
  async goesOn(changes: number): Promise<void> {
    const enough = this.accepted + changes;
    await this.engines[0]?.until(
      `${changes} more changes`,
      async () => (this.accepted >= enough ? true : undefined),
      async () => this.failures.slice(-3),
    );
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }

  /** Each instance is declared as it was accepted, or newer where an answer was lost, and that is what is deployed. */
  async nothingLost(engine: EngineClient): Promise<void> {
    expect(this.#newest.size).toBe(INSTANCES);
    for (const [name, turn] of this.#newest) {
      const { spec } = await engine.settled('instances', name);
      const { turn: stored } = spec['parameters'] as { turn: string };
      expect([name, Number(stored) >= turn]).toEqual([name, true]);
      const plan = await engine.request('GET', `/instances/${name}/plan`);
      expect([name, plan.status, /"(create|update|delete)"/.test(plan.text)]).toEqual([name, 200, false]);
    }
  }

  /** Each writer has instances of its own, so that it knows which change of them is the newest. */
  async #write(writer: number): Promise<void> {
    const mine = Array.from({ length: INSTANCES }, (_, n) => n).filter((n) => n % WRITERS.length === writer);
    for (let turn = 1; !this.#ending.signal.aborted; turn++) {
      const n = mine[turn % mine.length] ?? 0;
      const engine = this.engines[turn % this.engines.length];
      if (!engine) return;
      const spec = {
        solution: 'app',
        target: { name: `t${n % TARGETS}` },
        parameters: { turn: String(turn) },
      };
      const began = performance.now();
      this.#asked.set(writer, engine);
      const answer = await engine
        .request('POST', `/instances/i${n}`, { spec })
        .catch((error: unknown) => ({ status: 'no answer' as const, text: String(error) }));
      this.#asked.delete(writer);
      this.slowest = Math.max(this.slowest, performance.now() - began);
      if (answer.status === 200) {
        this.accepted++;
        this.#newest.set(`i${n}`, turn);
      } else this.failures.push({ status: answer.status, text: answer.text });
    }
  }
}
