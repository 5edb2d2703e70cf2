import { expect } from 'vitest';
import type { EngineClient, Wire } from './engine-client.js';
import type { ScriptWorld } from './script-world.js';

const CONVERGE_MS = 240_000;

/** Targets and instances whose one component lives in a world of scripts, spread over the targets. */
export class ScriptedFleet {
  constructor(
    private readonly world: ScriptWorld,
    private readonly targets: number,
  ) {}

  /** One solution, the targets, and so many instances. @returns their names */
  async declare(engine: EngineClient, instances: number): Promise<string[]> {
    await engine.solution('app', [{ name: 'c', properties: { version: '1' } }]);
    await inParallel(range(this.targets), (n) =>
      engine.target(`t${n}`, { topologies: this.world.topologies }),
    );
    return this.declareMore(engine, instances, 0);
  }

  /** @param from the number of the first one */
  async declareMore(engine: EngineClient, instances: number, from: number): Promise<string[]> {
    const numbers = range(instances).map((n) => n + from);
    const nameOf = (n: number): string => `i${String(n).padStart(4, '0')}`;
    await inParallel(numbers, (n) =>
      engine.instance(nameOf(n), { solution: 'app', target: { name: `t${n % this.targets}` } }),
    );
    return numbers.map(nameOf);
  }

  /** Waits until the status of every instance says that its newest generation succeeded; nothing else is deployed. */
  async converges(engine: EngineClient, names: readonly string[]): Promise<void> {
    const missing = async (): Promise<unknown[]> => {
      const all = new Map(
        (await engine.ok<Wire[]>('GET', '/instances')).map((one) => [one.metadata.name, one]),
      );
      return names
        .map((name) => all.get(name) ?? name)
        .filter(
          (one) =>
            typeof one === 'string' ||
            one.status?.status !== 'Succeeded' ||
            one.status.observedGeneration !== one.metadata.generation,
        );
    };
    await engine.until(
      'all instances to be deployed',
      async () => ((await missing()).length === 0 ? true : undefined),
      async () => (await missing()).slice(0, 3),
      CONVERGE_MS,
    );
    expect(await this.world.deployed()).toEqual(names);
    expect(await this.world.overlaps()).toEqual([]);
  }

  /** Removes everything; nothing of it may be left, here or outside. */
  async isRemoved(engine: EngineClient, names: readonly string[]): Promise<void> {
    await inParallel(names, (name) => engine.ok('DELETE', `/instances/${name}`));
    const left = (): Promise<Wire[]> => engine.ok('GET', '/instances');
    await engine.until(
      'all instances to be gone',
      async () => ((await left()).length === 0 ? true : undefined),
      async () => (await left()).slice(0, 3),
      CONVERGE_MS,
    );
    expect(await this.world.deployed()).toEqual([]);
    expect(await this.world.overlaps()).toEqual([]);
  }
}

/** Nothing went wrong in the process that nobody caught. */
export async function expectNoFaults(engine: EngineClient): Promise<void> {
  const { faults } = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
  expect(faults).toEqual({ unhandledRejection: 0, uncaughtException: 0 });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Some at a time: clients of an engine are not all at once either. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
