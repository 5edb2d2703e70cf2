import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const EVERY_SECOND = { reconciliationPolicy: { state: 'active', interval: '1s' } };

describe('drift is repaired by periodic runs', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'reconcile.minInterval': '1s' } });
  });
  afterAll(() => engine.stop());

  async function deploy(name: string, policy: object) {
    const mock = mockControl(`drift-${name}`);
    await engine.target(`${name}-t`, { topologies: mockTopology(`drift-${name}`) });
    await engine.solution(`${name}-s`, [{ name: 'a' }, { name: 'b' }]);
    const spec = { solution: `${name}-s`, target: { name: `${name}-t` }, ...policy };
    await engine.instance(name, spec);
    await engine.settled('instances', name);
    return { mock, spec };
  }

  interface Lane {
    state: string;
    dueAt?: string;
    doneSeq: string;
  }
  const lane = (name: string): Promise<Lane> => engine.ok('GET', `/jobs/Instance/default/${name}`);

  const runsOf = (name: string) => engine.ok<unknown[]>('GET', `/instances/${name}/runs`);

  it('of an instance, and the repair stands in its history', async () => {
    const { mock } = await deploy('inst', EVERY_SECOND);
    const before = await runsOf('inst');
    mock.breakComponent('a');
    await mock.until(({ contents }) => contents.length === 2, AbortSignal.timeout(15_000));
    await engine.until('the repair to be recorded', async () =>
      (await runsOf('inst')).length > before.length ? true : undefined,
    );
    const [repair] = (await runsOf('inst')) as { cause: string; steps: { actions: object[] }[] }[];
    expect(repair?.cause).toBe('periodic');
    expect(JSON.stringify(repair)).toContain('Missing');
  });

  it("of a target's own components", async () => {
    const mock = mockControl('drift-own');
    await engine.target('own', {
      topologies: mockTopology('drift-own'),
      components: [{ name: 'agent' }],
      ...EVERY_SECOND,
    });
    await engine.settled('targets/registry', 'own');
    mock.breakComponent('agent');
    await mock.until(({ contents }) => contents.length === 1, AbortSignal.timeout(15_000));
  });

  it('a periodic run that finds nothing writes neither status nor run record nor summary', async () => {
    const { mock } = await deploy('quiet', EVERY_SECOND);
    const gets = (): number => mock.calls.filter((call) => call.operation === 'get').length;
    const trace = async () => ({
      status: (await engine.get('instances', 'quiet'))?.status,
      runs: await runsOf('quiet'),
      // Whether a run is under way at this moment is no trace of one.
      summary: { ...(await engine.summary('quiet')), state: undefined },
    });
    const before = await trace();
    const looked = gets();
    await mock.until(() => gets() >= looked + 3, AbortSignal.timeout(15_000));
    expect(await trace()).toEqual(before);
    expect(mock.calls.filter((call) => call.operation === 'apply')).toHaveLength(1);
  });

  it.each([
    ['interval 0', { reconciliationPolicy: { state: 'active', interval: '0' } }],
    ['state inactive', { reconciliationPolicy: { state: 'inactive', interval: '1s' } }],
  ])('%s: no periodic run is due, and it comes back with the policy', async (name, policy) => {
    const key = name.replace(' ', '-');
    const { spec } = await deploy(key, policy);
    // What was written before the instance may have ordered one more look as its dependent; nothing periodic comes after it.
    const idle = await engine.until('the lane to rest with nothing due', async () => {
      const found = await lane(key);
      return found.state === 'idle' && found.dueAt === undefined ? found : undefined;
    });
    await engine.instance(key, { ...spec, ...EVERY_SECOND });
    await engine.until('a periodic run to be due', async () => {
      const { state, dueAt = '', doneSeq } = await lane(key);
      const ran = state === 'idle' && BigInt(doneSeq) > BigInt(idle.doneSeq);
      return ran && Date.parse(dueAt) - Date.now() < 1200 ? true : undefined;
    });
  });

  it('an interval below the minimum is raised to it', async () => {
    await deploy('minimum', { reconciliationPolicy: { state: 'active', interval: '1ms' } });
    const mock = mockControl('drift-minimum');
    const starts = (): number[] =>
      mock.calls.filter((call) => call.operation === 'get').map((call) => call.startedAt);
    // The first periodic run comes anywhere within the interval; later ones keep their distance.
    await mock.until(() => starts().length >= 5, AbortSignal.timeout(15_000));
    const distances = starts()
      .slice(2)
      .map((start, index) => start - (starts()[index + 1] ?? 0));
    for (const distance of distances) expect(distance).toBeGreaterThan(800);
  });
});
