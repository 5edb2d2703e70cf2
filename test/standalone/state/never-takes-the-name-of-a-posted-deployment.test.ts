import { afterAll, beforeAll, expect, it } from 'vitest';
import { mockControl } from '../../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../../support/engine.js';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.target('stored-t', { topologies: mockTopology('stored-t') });
  await engine.solution('stored-s', [{ name: 'web' }]);
});
afterAll(() => engine.stop());

function posted(name: string, jobID: string): object {
  return {
    solutionName: `${name}-s`,
    solution: { spec: { components: [{ name: 'web' }] } },
    instance: { metadata: { name }, spec: { scope: 'default' } },
    targets: { t1: { metadata: { name: 't1' }, spec: { topologies: mockTopology(`${name}-t1`) } } },
    assignments: { t1: '{web}' },
    jobID,
  };
}

const store = (name: string) =>
  engine.request('POST', `/instances/${name}`, {
    spec: { solution: 'stored-s', target: { name: 'stored-t' } },
  });

it('an instance is refused while a posted deployment has its name, and stored once that was removed', async () => {
  await engine.ok('POST', '/solution/reconcile', posted('app', '1'));
  expect(await store('app')).toMatchObject({ status: 409, body: { code: 'PostedDeploymentExists' } });
  expect(await engine.get('instances', 'app')).toBeUndefined();

  await engine.ok('POST', '/solution/reconcile?delete=true', posted('app', '2'));
  expect(mockControl('app-t1').contents).toEqual([]);
  expect((await store('app')).status).toBe(200);
  await engine.settled('instances', 'app');
});

it('also while what was posted has deployed nothing yet, and is tried again', async () => {
  mockControl('failing-t1').set({ failApply: ['*'] });
  expect((await engine.request('POST', '/solution/reconcile', posted('failing', '1'))).status).toBe(500);
  expect(await store('failing')).toMatchObject({ status: 409, body: { code: 'PostedDeploymentExists' } });
});

it('one that is refused takes no other with it that is stored in the same moment', async () => {
  await engine.ok('POST', '/solution/reconcile', posted('among', '1'));
  const names = Array.from({ length: 12 }, (_, n) => (n === 5 ? 'among' : `among-${n}`));
  const answers = await Promise.all(names.map(async (name) => [name, (await store(name)).status]));
  expect(answers).toEqual(names.map((name) => [name, name === 'among' ? 409 : 200]));
});
