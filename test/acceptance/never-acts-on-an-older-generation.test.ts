import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl, type MockControl } from '../../src/modules/providers/index.js';
import { ledgerOf } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const CHANGES = 25;

/** Notes every state that the target goes through. */
function watch(
  mock: MockControl,
  read: (mock: MockControl) => number[],
): { seen: number[]; end: () => void } {
  const seen: number[] = [];
  const over = new AbortController();
  void mock
    .until((control) => {
      for (const value of read(control)) if (seen.at(-1) !== value) seen.push(value);
      return false;
    }, over.signal)
    .catch(() => undefined);
  return { seen, end: () => over.abort() };
}

function revisions(mock: MockControl): number[] {
  return mock.contents.map((component) => Number(component.properties?.rev));
}

function expectRising(values: readonly number[]): void {
  expect(values).toEqual([...values].sort((a, b) => a - b));
}

describe('never acts on an older generation after a newer one', () => {
  let engines: TestEngine[] = [];

  beforeAll(async () => {
    const first = await TestEngine.start();
    const second = await TestEngine.start({ databaseUrl: first.databaseUrl });
    engines = [first, second];
  });
  afterAll(async () => {
    const [first, second] = engines;
    await second?.leave();
    await first?.stop();
  });

  const engineAt = (turn: number): TestEngine => {
    const engine = engines[turn % engines.length];
    if (!engine) throw new Error('there is no engine');
    return engine;
  };

  it.each([
    ['of the solution', 'sol', 0],
    ['of the solution, with a slow target', 'sol-slow', 40],
    ['of the instance', 'inst', 0],
    ['of the instance, with a slow target', 'inst-slow', 40],
  ])('with many quick changes %s, through two engines', async (_what, name, latencyMs) => {
    const engine = engineAt(0);
    const mock = mockControl(`older-${name}`);
    mock.set({ latencyMs });
    await engine.target(`${name}-t`, { topologies: mockTopology(`older-${name}`) });
    const ofInstance = name.startsWith('inst');
    const rev = ofInstance ? "${{$param('rev')}}" : '0';
    const components = [{ name: 'web', parameters: { rev: '0' }, properties: { rev } }];
    const spec = { solution: `${name}-s`, target: { name: `${name}-t` } };
    const write = (turn: number, on: TestEngine): Promise<unknown> =>
      ofInstance
        ? on.instance(name, { ...spec, parameters: { rev: String(turn) } })
        : on.solution(`${name}-s`, [{ name: 'web', properties: { rev: String(turn) } }]);
    await engine.solution(`${name}-s`, components);
    await engine.instance(name, spec);
    await engine.settled('instances', name);

    const watched = watch(mock, revisions);
    for (let turn = 1; turn <= CHANGES; turn++) await write(turn, engineAt(turn));
    await mock.until((control) => revisions(control).includes(CHANGES), AbortSignal.timeout(20_000));
    await engine.settled('instances', name);
    watched.end();

    expectRising(watched.seen);
    expect(watched.seen.at(-1)).toBe(CHANGES);
    expect(mock.maxConcurrency(`Instance/${engine.namespace}/${name}`)).toBe(1);
    const runs = await engine.ok<{ generation: number }[]>('GET', `/instances/${name}/runs?limit=200`);
    expectRising(runs.map(({ generation }) => generation).toReversed());
    expect(await ledgerOf(engine, name)).toMatchObject([{ component: 'web', state: 'applied' }]);
  });

  it('nor does a deletion come before what was ordered earlier, or anything after it', async () => {
    const engine = engineAt(0);
    const mock = mockControl('older-deleted');
    mock.set({ latencyMs: 40 });
    await engine.target('gone-t', { topologies: mockTopology('older-deleted') });
    await engine.solution('gone-s', [{ name: 'web', properties: { rev: '0' } }]);
    await engine.instance('gone', { solution: 'gone-s', target: { name: 'gone-t' } });
    for (let turn = 1; turn <= 8; turn++) {
      await engineAt(turn).solution('gone-s', [{ name: 'web', properties: { rev: String(turn) } }]);
    }
    await engineAt(1).ok('DELETE', '/instances/gone');
    await engineAt(0).solution('gone-s', [{ name: 'web', properties: { rev: '9' } }]);
    await engine.gone('instances', 'gone');
    expect(mock.contents).toEqual([]);
    const actions = mock.calls.flatMap((call) => call.action ?? []);
    expect(actions.slice(actions.indexOf('delete'))).toEqual(['delete']);
  });
});
