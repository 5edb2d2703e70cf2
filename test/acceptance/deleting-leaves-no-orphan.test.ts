import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { appliedOf, ledgerOf, ownersOn } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

/** In whatever order people delete things, and whatever cannot be reached meanwhile: in the end nothing is left anywhere. */
describe('deleting leaves no orphan', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'reconcile.stepTimeoutSeconds': 1 } });
  });
  afterAll(() => engine.stop());

  async function deploy(name: string, topologies = mockTopology(`orphan-${name}`)) {
    const mock = mockControl(`orphan-${name}`);
    await engine.target(`${name}-t`, { topologies, properties: { table: `orphan-${name}` } });
    await engine.solution(`${name}-s`, [{ name: 'a' }, { name: 'b', dependencies: ['a'] }]);
    await engine.instance(name, { solution: `${name}-s`, target: { name: `${name}-t` } });
    await engine.settled('instances', name);
    expect(mock.contents).toHaveLength(2);
    return { mock, names: () => mock.contents.map((component) => component.name) };
  }

  async function says(name: string, code: string): Promise<void> {
    await engine.until(
      `instance ${name} to say ${code}`,
      async () => {
        const object = await engine.get('instances', name);
        return object?.status?.reason === code ? true : undefined;
      },
      () => engine.get('instances', name),
    );
  }

  interface Run {
    result: string;
    steps: { actions: { component: string; kind: string }[] }[];
  }
  /** The newest first. */
  const runsOf = (name: string): Promise<Run[]> => engine.ok('GET', `/instances/${name}/runs`);

  it('when the target is deleted first: it is emptied, then it goes, and the instance says why nothing runs', async () => {
    const { names } = await deploy('first');
    await engine.ok('DELETE', '/targets/registry/first-t');
    await engine.gone('targets/registry', 'first-t');
    expect(names()).toEqual([]);
    expect(await ledgerOf(engine, 'first')).toEqual([]);
    await says('first', 'NoTargetMatched');
    // Made anew, it is filled again.
    await engine.target('first-t', { topologies: mockTopology('orphan-first') });
    await engine.settled('instances', 'first');
    expect(names()).toEqual(['a', 'b']);
  });

  it('when the target is deleted first, with components of its own and a binding that reads its properties', async () => {
    const { mock, names } = await deploy('own', mockTopology("${{$property('table')}}"));
    await engine.target('own-t', {
      topologies: mockTopology("${{$property('table')}}"),
      properties: { table: 'orphan-own' },
      components: [{ name: 'agent' }],
    });
    await mock.until(({ contents }) => contents.length === 3, AbortSignal.timeout(20_000));
    await engine.ok('DELETE', '/targets/registry/own-t');
    await engine.gone('targets/registry', 'own-t');
    expect(names()).toEqual([]);
    expect(await ownersOn(engine, 'own-t')).toEqual([]);
  });

  it('when the target is deleted although the solution is gone', async () => {
    const { names } = await deploy('unsolved');
    await engine.ok('DELETE', '/solutions/unsolved-s');
    await says('unsolved', 'SolutionNotFound');
    expect(names()).toEqual(['a', 'b']);
    await engine.ok('DELETE', '/targets/registry/unsolved-t');
    await engine.gone('targets/registry', 'unsolved-t');
    expect(names()).toEqual([]);
    await says('unsolved', 'SolutionNotFound');
    // What was removed stands in the history, also where the rest could not be planned.
    const withSteps = (await runsOf('unsolved')).find(({ steps }) => steps.length > 0);
    expect(
      withSteps?.steps.flatMap((step) => step.actions.map((action) => `${action.kind} ${action.component}`)),
    ).toEqual(['delete b', 'delete a']);
  });

  it('when the target that is to go cannot be reached and the solution is gone: it is tried again', async () => {
    const { mock, names } = await deploy('stuck');
    await engine.ok('DELETE', '/solutions/stuck-s');
    await says('stuck', 'SolutionNotFound');
    mock.set({ failApply: ['*'] });
    await engine.ok('DELETE', '/targets/registry/stuck-t');
    await engine.until('a run to fail with the removal', async () =>
      (await runsOf('stuck'))[0]?.result === 'retry' ? true : undefined,
    );
    expect(names()).toEqual(['a', 'b']);
    mock.heal();
    await engine.gone('targets/registry', 'stuck-t');
    expect(names()).toEqual([]);
  });

  it('when the solution is deleted first, then the instance', async () => {
    const { mock, names } = await deploy('solved');
    await engine.ok('DELETE', '/solutions/solved-s');
    await engine.ok('DELETE', '/instances/solved');
    await engine.gone('instances', 'solved');
    expect(names()).toEqual([]);
    // In reverse order, as it was recorded when there still was a solution.
    const removals = mock.calls.filter((call) => call.action === 'delete');
    expect(removals.flatMap((call) => call.worked)).toEqual(['b', 'a']);
  });

  it('when everything is deleted at once', async () => {
    const { names } = await deploy('all');
    await Promise.all(
      ['/solutions/all-s', '/instances/all', '/targets/registry/all-t'].map((path) =>
        engine.ok('DELETE', path),
      ),
    );
    await engine.gone('instances', 'all');
    await engine.gone('targets/registry', 'all-t');
    expect(names()).toEqual([]);
  });

  it('when the instance is deleted while its target does not answer, and the target comes back', async () => {
    const { mock, names } = await deploy('away');
    mock.set({ hangGet: true, hangApply: true });
    await engine.ok('DELETE', '/instances/away');
    const failed = await engine.settled('instances', 'away', 'Failed');
    expect(failed.status?.reason).toMatch(/ProviderTimeout|TargetUnavailable/);
    expect(names()).toEqual(['a', 'b']);
    expect(await appliedOf(engine, 'away')).toEqual(['a@away-t (removing)', 'b@away-t (removing)']);
    mock.heal();
    await engine.gone('instances', 'away');
    expect(names()).toEqual([]);
  });

  it('when the target is deleted while the instance is being deployed on it', async () => {
    const mock = mockControl('orphan-during');
    mock.set({ latencyMs: 150 });
    await engine.target('during-t', { topologies: mockTopology('orphan-during') });
    await engine.solution('during-s', [{ name: 'a' }, { name: 'b' }]);
    await engine.instance('during', { solution: 'during-s', target: { name: 'during-t' } });
    await mock.until(({ calls }) => calls.length > 0, AbortSignal.timeout(20_000));
    await engine.ok('DELETE', '/targets/registry/during-t');
    await engine.gone('targets/registry', 'during-t');
    await says('during', 'NoTargetMatched');
    await engine.until('the ledger to be empty', async () =>
      (await ledgerOf(engine, 'during')).length === 0 ? true : undefined,
    );
    expect(mock.contents).toEqual([]);
  });

  it('when a target is gone for good and is let go with orphan: nobody waits for it, and nobody is left behind elsewhere', async () => {
    const { mock, names } = await deploy('dead');
    mock.set({ hangGet: true, hangApply: true });
    await engine.ok('DELETE', '/targets/registry/dead-t?orphan=true');
    await engine.gone('targets/registry', 'dead-t');
    await says('dead', 'NoTargetMatched');
    await engine.until('the ledger to be empty', async () =>
      (await ledgerOf(engine, 'dead')).length === 0 ? true : undefined,
    );
    await engine.ok('DELETE', '/instances/dead');
    await engine.gone('instances', 'dead');
    expect(names()).toEqual(['a', 'b']);
  });

  it('when an instance is made anew under the same name at once', async () => {
    const { mock, names } = await deploy('anew');
    await engine.ok('DELETE', '/instances/anew');
    await engine.until('the name to be free', async () => {
      const answer = await engine.request('POST', '/instances/anew', {
        spec: { solution: 'anew-s', target: { name: 'anew-t' } },
      });
      return answer.status === 200 ? true : undefined;
    });
    await engine.settled('instances', 'anew');
    expect(names()).toEqual(['a', 'b']);
    expect(await appliedOf(engine, 'anew')).toEqual(['a@anew-t', 'b@anew-t']);
    expect(mock.maxConcurrency(`Instance/${engine.namespace}/anew`)).toBe(1);
  });
});
