import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { ledgerOf, sql, standaloneOnly } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

describe('a dry run touches nothing', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  it('plans and says so, deploys nothing and records nothing; switched off, it deploys', async () => {
    const mock = mockControl('dry');
    await engine.target('dry-t', { topologies: mockTopology('dry') });
    await engine.solution('dry-s', [{ name: 'a' }, { name: 'b', dependencies: ['a'] }]);
    const spec = { solution: 'dry-s', target: { name: 'dry-t' } };
    await engine.instance('dry', { ...spec, isDryRun: true });
    const planned = await engine.settled('instances', 'dry');
    expect(planned.status?.reason).toBe('DryRun');
    expect(mock.contents).toEqual([]);
    expect(mock.writes).toBe(0);
    expect(mock.calls.filter((call) => call.operation === 'apply').map((call) => call.dryRun)).not.toContain(
      false,
    );
    expect(await ledgerOf(engine, 'dry')).toEqual([]);

    await engine.instance('dry', { ...spec, isDryRun: false });
    await engine.settled('instances', 'dry');
    expect(mock.contents.map((component) => component.name)).toEqual(['a', 'b']);
  });

  const here = standaloneOnly('the API server refuses this whoever writes it');
  here('yet what is deployed is removed with its object, also when the object says dry run', async () => {
    const mock = mockControl('dry-deleted');
    await engine.target('dd-t', { topologies: mockTopology('dry-deleted') });
    await engine.solution('dd-s', [{ name: 'a' }]);
    await engine.instance('dd', { solution: 'dd-s', target: { name: 'dd-t' } });
    await engine.settled('instances', 'dd');
    // The API refuses this; another way into the store might not.
    await sql(engine, `UPDATE objects SET spec = spec || '{"isDryRun":true}' WHERE name = 'dd'`);
    await engine.ok('DELETE', '/instances/dd');
    await engine.gone('instances', 'dd');
    expect(mock.contents).toEqual([]);
  });
});
