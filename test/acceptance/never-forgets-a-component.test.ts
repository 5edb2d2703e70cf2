import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { appliedOf, ledgerOf } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const MOCK = 'providers.target.mock';

function binding(role: string, id: string, config: Record<string, string> = {}): object {
  return { role, provider: MOCK, config: { id, ...config } };
}

/** Whatever changes about the place of a component: what is in the old place goes, and the ledger says so. */
describe('never forgets a component that it applied', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  const names = (id: string): string[] => mockControl(id).contents.map((component) => component.name);
  const holds = (id: string, expected: string[]): Promise<void> =>
    mockControl(id).until(
      ({ contents }) => JSON.stringify(contents.map((item) => item.name)) === JSON.stringify(expected),
      AbortSignal.timeout(20_000),
    );

  async function twoTargets(name: string): Promise<void> {
    for (const site of ['x', 'y']) {
      await engine.target(`${name}-${site}`, {
        topologies: mockTopology(`${name}-${site}`),
        properties: { site: `${name}-${site}`, tag: `${name}-${site}` },
      });
    }
    await engine.solution(`${name}-s`, [
      { name: 'a', properties: { on: "${{$property('tag')}}" } },
      { name: 'b' },
    ]);
  }

  it('when the instance names another target', async () => {
    await twoTargets('named');
    await engine.instance('named', { solution: 'named-s', target: { name: 'named-x' } });
    await engine.settled('instances', 'named');
    await engine.instance('named', { solution: 'named-s', target: { name: 'named-y' } });
    await engine.settled('instances', 'named');
    expect(names('named-x')).toEqual([]);
    expect(names('named-y')).toEqual(['a', 'b']);
    expect(await appliedOf(engine, 'named')).toEqual(['a@named-y', 'b@named-y']);
  });

  it('when the selector selects another target', async () => {
    await twoTargets('selected');
    const spec = (site: string) => ({ solution: 'selected-s', target: { selector: { site } } });
    await engine.instance('selected', spec('selected-x'));
    await engine.settled('instances', 'selected');
    await engine.instance('selected', spec('selected-y'));
    await engine.settled('instances', 'selected');
    expect([names('selected-x'), names('selected-y')]).toEqual([[], ['a', 'b']]);
    expect(await appliedOf(engine, 'selected')).toEqual(['a@selected-y', 'b@selected-y']);
  });

  it('when the targets change so that the same selector selects another one', async () => {
    await twoTargets('drifted');
    await engine.instance('drifted', { solution: 'drifted-s', target: { selector: { site: 'drifted-x' } } });
    await engine.settled('instances', 'drifted');
    // In this order, so that there is always one that matches.
    for (const [site, property] of [
      ['y', 'drifted-x'],
      ['x', 'elsewhere'],
    ] as const) {
      await engine.target(`drifted-${site}`, {
        topologies: mockTopology(`drifted-${site}`),
        properties: { site: property, tag: 'changed' },
      });
    }
    await holds('drifted-y', ['a', 'b']);
    await holds('drifted-x', []);
    await engine.settled('instances', 'drifted');
    expect(await appliedOf(engine, 'drifted')).toEqual(['a@drifted-y', 'b@drifted-y']);
  });

  it('and finds the old place by the properties of the target that it left', async () => {
    await engine.target('props-x', {
      topologies: mockTopology("${{$property('table')}}"),
      properties: { site: 'props-x', table: 'props-table-x' },
    });
    await engine.target('props-y', { topologies: mockTopology('props-y'), properties: { site: 'props-y' } });
    await engine.solution('props-s', [{ name: 'a', properties: { on: "${{$property('site')}}" } }]);
    await engine.instance('props', { solution: 'props-s', target: { name: 'props-x' } });
    await engine.settled('instances', 'props');
    expect(names('props-table-x')).toEqual(['a']);
    await engine.instance('props', { solution: 'props-s', target: { name: 'props-y' } });
    await engine.settled('instances', 'props');
    expect([names('props-table-x'), names('props-y')]).toEqual([[], ['a']]);
    expect(await appliedOf(engine, 'props')).toEqual(['a@props-y']);
  });

  it('when the type of a component changes, and with it the provider', async () => {
    await engine.target('typed-t', {
      topologies: [{ bindings: [binding('one', 'typed-one'), binding('two', 'typed-two')] }],
    });
    const write = (type: string) =>
      engine.solution('typed-s', [
        { name: 'a', type },
        { name: 'b', type: 'one', dependencies: ['a'] },
      ]);
    await write('one');
    await engine.instance('typed', { solution: 'typed-s', target: { name: 'typed-t' } });
    await engine.settled('instances', 'typed');
    expect(names('typed-one')).toEqual(['a', 'b']);
    await write('two');
    await holds('typed-two', ['a']);
    await engine.settled('instances', 'typed');
    expect(names('typed-one')).toEqual(['b']);
    expect(await ledgerOf(engine, 'typed')).toMatchObject([
      { component: 'a', role: 'two', mock: 'typed-two' },
      { component: 'b', role: 'one', mock: 'typed-one' },
    ]);
  });

  it('when a component is renamed', async () => {
    await engine.target('renamed-t', { topologies: mockTopology('renamed') });
    await engine.solution('renamed-s', [{ name: 'old' }, { name: 'kept' }]);
    await engine.instance('renamed', { solution: 'renamed-s', target: { name: 'renamed-t' } });
    await engine.settled('instances', 'renamed');
    await engine.solution('renamed-s', [{ name: 'new' }, { name: 'kept' }]);
    await holds('renamed', ['kept', 'new']);
    await engine.settled('instances', 'renamed');
    expect(await appliedOf(engine, 'renamed')).toEqual(['kept@renamed-t', 'new@renamed-t']);
  });

  it('when the configuration of the binding changes, once and back again', async () => {
    const write = (id: string) => engine.target('bound-t', { topologies: mockTopology(id) });
    await write('bound-1');
    await engine.solution('bound-s', [{ name: 'a' }]);
    await engine.instance('bound', { solution: 'bound-s', target: { name: 'bound-t' } });
    await engine.settled('instances', 'bound');
    for (const [from, to] of [
      ['bound-1', 'bound-2'],
      ['bound-2', 'bound-1'],
    ] as const) {
      await write(to);
      await holds(to, ['a']);
      await holds(from, []);
    }
    await engine.settled('instances', 'bound');
    expect(await ledgerOf(engine, 'bound')).toMatchObject([{ component: 'a', mock: 'bound-1' }]);
  });

  it('when the scope changes, once and back again', async () => {
    const write = (solutionScope: string) =>
      engine.target('scoped-t', { topologies: mockTopology('scoped'), solutionScope });
    const mock = mockControl('scoped');
    await write('s1');
    await engine.solution('scoped-s', [{ name: 'a' }]);
    await engine.instance('scoped', { solution: 'scoped-s', target: { name: 'scoped-t' } });
    await engine.settled('instances', 'scoped');
    for (const scope of ['s2', 's1']) {
      const before = mock.calls.length;
      await write(scope);
      await engine.until(`the scope ${scope}`, async () => {
        const rows = await ledgerOf(engine, 'scoped');
        return rows.length === 1 && rows[0]?.scope === scope && rows[0].state === 'applied'
          ? true
          : undefined;
      });
      const actions = mock.calls.slice(before).flatMap((call) => call.action ?? []);
      expect(actions).toEqual(['delete', 'update']);
    }
    await engine.settled('instances', 'scoped');
    expect(names('scoped')).toEqual(['a']);
  });

  it('when a removal failed, until it succeeds', async () => {
    const mock = mockControl('failing');
    await engine.target('failing-t', { topologies: mockTopology('failing') });
    await engine.solution('failing-s', [{ name: 'a' }, { name: 'b' }]);
    await engine.instance('failing', { solution: 'failing-s', target: { name: 'failing-t' } });
    await engine.settled('instances', 'failing');
    mock.set({ failApply: ['b'] });
    await engine.solution('failing-s', [{ name: 'a' }]);
    const failed = await engine.settled('instances', 'failing', 'Failed');
    expect(failed.status?.statusDetails).toContain('b on failing-t');
    expect(await appliedOf(engine, 'failing')).toEqual(['a@failing-t', 'b@failing-t (removing)']);
    mock.heal();
    await holds('failing', ['a']);
    await engine.settled('instances', 'failing');
    expect(await appliedOf(engine, 'failing')).toEqual(['a@failing-t']);
  });

  it('when the answer to a call was lost', async () => {
    const mock = mockControl('lost');
    await engine.target('lost-t', { topologies: mockTopology('lost') });
    await engine.solution('lost-s', [{ name: 'a' }]);
    mock.set({ loseReply: true });
    await engine.instance('lost', { solution: 'lost-s', target: { name: 'lost-t' } });
    await engine.settled('instances', 'lost', 'Failed');
    expect(names('lost')).toEqual(['a']);
    expect(await appliedOf(engine, 'lost')).toEqual(['a@lost-t (intent)']);
    // Deleted before the outcome was ever known.
    await engine.ok('DELETE', '/instances/lost');
    mock.heal();
    await engine.gone('instances', 'lost');
    expect(names('lost')).toEqual([]);
    expect(await ledgerOf(engine, 'lost')).toEqual([]);
  });
});
