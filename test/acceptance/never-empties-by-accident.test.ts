import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { appliedOf, ledgerOf } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const ALLOW = { 'symphony/allow-empty': 'true' };
const COMPONENTS = [{ name: 'a' }, { name: 'b', dependencies: ['a'] }];

/** A solution or a list of targets that comes out empty is a mistake until somebody says that it is meant. */
describe('never removes everything by accident', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  async function deploy(name: string) {
    const mock = mockControl(`empty-${name}`);
    const topologies = mockTopology(`empty-${name}`);
    const target = { selector: { site: name } };
    await engine.target(`${name}-t`, { topologies, properties: { site: name } });
    await engine.solution(`${name}-s`, COMPONENTS);
    await engine.instance(name, { solution: `${name}-s`, target });
    await engine.settled('instances', name);
    return {
      spec: { solution: `${name}-s`, target },
      topologies,
      names: () => mock.contents.map((component) => component.name),
      removed: () => mock.until(({ contents }) => contents.length === 0, AbortSignal.timeout(20_000)),
    };
  }

  async function stopped(name: string, code: string): Promise<string> {
    const found = await engine.until(
      `instance ${name} to stop with ${code}`,
      async () => {
        const object = await engine.get('instances', name);
        return object?.status?.reason === code ? object : undefined;
      },
      () => engine.get('instances', name),
    );
    expect(found.status?.status).toBe('Failed');
    // As deployed, and known to be.
    expect(await appliedOf(engine, name)).toEqual([`a@${name}-t`, `b@${name}-t`]);
    return found.status?.statusDetails ?? '';
  }

  const ACCIDENTS: [string, string, (name: string, topologies: object[]) => Promise<unknown>][] = [
    ['the solution has no components', 'EmptyDeployment', (name) => engine.solution(`${name}-s`, [])],
    [
      'the selector matches nothing',
      'EmptyDeployment',
      (name, topologies) => engine.target(`${name}-t`, { topologies, properties: { site: 'elsewhere' } }),
    ],
    [
      'the instance names a target that is not there',
      'EmptyDeployment',
      (name) => engine.instance(name, { solution: `${name}-s`, target: { name: 'nowhere' } }),
    ],
    [
      'no constraint holds',
      'EmptyDeployment',
      (name) =>
        engine.solution(
          `${name}-s`,
          ['a', 'b'].map((component) => ({
            name: component,
            constraints: "${{$equal($property('site'),'moon')}}",
          })),
        ),
    ],
    [
      'the target offers no provider any more',
      'RoleNotOffered',
      (name) => engine.target(`${name}-t`, { topologies: [], properties: { site: name } }),
    ],
    [
      'the instance names a solution that is not there',
      'SolutionNotFound',
      (name) => engine.instance(name, { solution: 'nothing', target: { selector: { site: name } } }),
    ],
    ['the solution is deleted', 'SolutionNotFound', (name) => engine.ok('DELETE', `/solutions/${name}-s`)],
  ];

  it.each(ACCIDENTS.map(([what, code, cause], index) => ({ what, code, cause, name: `accident-${index}` })))(
    'when $what: $code',
    async ({ name, code, cause }) => {
      const { spec, topologies, names } = await deploy(name);
      await cause(name, topologies);
      const sentence = await stopped(name, code);
      if (code === 'EmptyDeployment') {
        for (const way of ['delete the instance', 'activeState: inactive', 'symphony/allow-empty']) {
          expect(sentence).toContain(way);
        }
      }
      expect(names()).toEqual(['a', 'b']);

      // Nothing of it stands in the way of mending it.
      await engine.target(`${name}-t`, { topologies, properties: { site: name } });
      await engine.solution(`${name}-s`, COMPONENTS);
      await engine.instance(name, spec);
      await engine.settled('instances', name);
      expect(names()).toEqual(['a', 'b']);
    },
  );

  it('does when the annotation confirms it', async () => {
    const { spec, removed } = await deploy('confirmed');
    await engine.solution('confirmed-s', []);
    await stopped('confirmed', 'EmptyDeployment');
    await engine.instance('confirmed', spec, 'default', ALLOW);
    await removed();
    await engine.settled('instances', 'confirmed');
    expect(await appliedOf(engine, 'confirmed')).toEqual([]);
  });

  it('does when it is made inactive, and deploys again when it is made active', async () => {
    const { spec, names, removed } = await deploy('inactive');
    await engine.instance('inactive', { ...spec, activeState: 'inactive' });
    await removed();
    const idle = await engine.settled('instances', 'inactive');
    expect(idle.status).toMatchObject({ reason: 'Inactive', deployed: 0 });
    expect(await appliedOf(engine, 'inactive')).toEqual([]);
    await engine.instance('inactive', { ...spec, activeState: 'active' });
    await engine.settled('instances', 'inactive');
    expect(names()).toEqual(['a', 'b']);
  });

  it('does when it is deleted, also after it stopped', async () => {
    const { removed } = await deploy('deleted');
    await engine.solution('deleted-s', []);
    await stopped('deleted', 'EmptyDeployment');
    await engine.ok('DELETE', '/instances/deleted');
    await removed();
    await engine.gone('instances', 'deleted');
    expect(await ledgerOf(engine, 'deleted')).toEqual([]);
  });

  it("guards a target's own components too", async () => {
    const mock = mockControl('empty-own');
    const topologies = mockTopology('empty-own');
    await engine.target('own', { topologies, components: [{ name: 'agent' }] });
    await engine.settled('targets/registry', 'own');
    await engine.target('own', { topologies, components: [] });
    const stoppedTarget = await engine.settled('targets/registry', 'own', 'Failed');
    expect(stoppedTarget.status?.reason).toBe('EmptyDeployment');
    expect(mock.contents.map((component) => component.name)).toEqual(['agent']);
    await engine.target('own', { topologies, components: [] }, 'default', ALLOW);
    await engine.settled('targets/registry', 'own');
    expect(mock.contents).toEqual([]);
  });
});
