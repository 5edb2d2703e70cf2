import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

describe('an instance is deployed, followed and removed', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  it('deploys, updates on a change of the solution, removes on DELETE', async () => {
    const mock = mockControl('flow');
    await engine.target('t1', { topologies: mockTopology('flow') });
    await engine.solution('app-v-1', [{ name: 'web', properties: { image: 'web:1.10' } }]);
    await engine.instance('app', { solution: 'app:1', target: { name: 't1' } });

    const deployed = await engine.settled('instances', 'app');
    expect(deployed.status).toMatchObject({ deployed: 1, targets: 1, reason: 'Succeeded' });
    expect(mock.contents.map((c) => [c.name, c.properties])).toEqual([['web', { image: 'web:1.10' }]]);

    await engine.solution('app-v-1', [{ name: 'web', properties: { image: 'web:1.20' } }]);
    await engine.until('the new image', async () =>
      mock.contents.some((c) => c.properties?.image === 'web:1.20') ? true : undefined,
    );

    await engine.ok('DELETE', '/instances/app');
    await engine.gone('instances', 'app');
    expect(mock.contents).toEqual([]);
  });

  it('counts as deployed the targets that hold everything, not the components or the actions of a run', async () => {
    const selector = { line: 'counted' };
    for (const name of ['c1', 'c2']) {
      await engine.target(name, { properties: selector, topologies: mockTopology(`counted-${name}`) });
    }
    await engine.target('c3', {
      properties: selector,
      topologies: mockTopology('counted-c3', { failApply: 'queue' }),
    });
    const components = ['web', 'cache', 'queue'].map((name) => ({ name }));
    await engine.solution('counted-v-1', components);
    await engine.instance('counted', { solution: 'counted:1', target: { selector } });
    const failed = await engine.settled('instances', 'counted', 'Failed');
    expect(failed.status).toMatchObject({ status: 'Failed', deployed: 2, targets: 3 });
  });
});
