import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const REPLICAS = 3;
const INSTANCES = ['one', 'two', 'three'];
const ROUNDS = 12;

interface Run {
  id: string;
  startedAt: string;
  endedAt: string;
}

/** Runs that began before the one before them had ended. */
async function overlapsOf(engine: TestEngine, name: string): Promise<Run[]> {
  const newestFirst = await engine.ok<Run[]>('GET', `/instances/${name}/runs?limit=200`);
  expect(newestFirst.length).toBeGreaterThan(1);
  return newestFirst.filter(({ startedAt }, index) =>
    newestFirst.slice(index + 1).some(({ endedAt }) => endedAt > startedAt),
  );
}

describe('never overlaps two runs of one object', () => {
  const engines: TestEngine[] = [];

  beforeAll(async () => {
    const first = await TestEngine.start();
    engines.push(first);
    const { databaseUrl } = first;
    while (engines.length < REPLICAS) engines.push(await TestEngine.start({ databaseUrl }));
  });
  afterAll(async () => {
    const [first, ...others] = engines;
    await Promise.all(others.map((engine) => engine.leave()));
    await first?.stop();
  });

  it('with three engines that share what they have and are asked all at once', async () => {
    const [first] = engines;
    if (!first) throw new Error('there is no engine');
    const mock = mockControl('overlap');
    mock.set({ latencyMs: 15 });
    await first.target('t', { topologies: mockTopology('overlap') });
    for (const name of INSTANCES) {
      await first.solution(`${name}-s`, [{ name, properties: { rev: '0' } }]);
      await first.instance(name, { solution: `${name}-s`, target: { name: 't' } });
    }
    const hammered = engines.flatMap((engine, replica) =>
      INSTANCES.map(async (name) => {
        for (let round = 0; round < ROUNDS; round++) {
          const parameters = { from: String(replica), round: String(round) };
          await engine.instance(name, { solution: `${name}-s`, target: { name: 't' }, parameters });
          await engine.ok('POST', `/solution/queue?instance=${name}&namespace=default`);
          await engine.solution(`${name}-s`, [{ name, properties: { rev: `${replica}-${round}` } }]);
        }
      }),
    );
    await Promise.all(hammered);
    for (const name of INSTANCES) {
      const { spec } = (await first.get('solutions', `${name}-s`)) ?? {};
      const [wanted] = (spec?.components ?? []) as { properties: object }[];
      await mock.until(
        ({ contents }) =>
          JSON.stringify(contents.find((item) => item.name === name)?.properties) ===
          JSON.stringify(wanted?.properties),
        AbortSignal.timeout(20_000),
      );
      await first.settled('instances', name);
      expect(mock.maxConcurrency(`Instance/${first.namespace}/${name}`)).toBe(1);
    }
    // That they could have: different objects did run at once, and on more than one engine.
    expect(mock.maxConcurrency()).toBeGreaterThan(1);
    const overlaps = (await Promise.all(INSTANCES.map((name) => overlapsOf(first, name)))).flat();
    expect(overlaps).toEqual([]);
  });
});
