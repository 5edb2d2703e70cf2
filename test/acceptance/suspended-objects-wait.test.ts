import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import type { LaneView } from '../../src/modules/queue/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

describe('a suspended object', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  const order = (name: string, what: 'suspend' | 'resume'): Promise<LaneView> =>
    engine.ok('POST', `/jobs/Instance/${engine.namespace}/${name}/${what}`);
  const job = (name: string): Promise<LaneView> =>
    engine.ok('GET', `/jobs/Instance/${engine.namespace}/${name}`);

  it('is left as it is, whatever changes, and follows at once when it is resumed', async () => {
    const mock = mockControl('held');
    await engine.target('held', { topologies: mockTopology('held') });
    await engine.solution('held-v-1', [{ name: 'web', properties: { image: 'web:1' } }]);
    await engine.instance('held', { solution: 'held:1', target: { name: 'held' } });
    await engine.settled('instances', 'held');

    expect(await order('held', 'suspend')).toMatchObject({ state: 'suspended' });
    const calls = mock.calls.length;
    await engine.solution('held-v-1', [{ name: 'web', properties: { image: 'web:2' } }]);
    await engine.ok('POST', '/instances/held', {
      spec: { solution: 'held:1', target: { name: 'held' }, displayName: 'ordered by a person' },
    });
    // What was ordered after it has run: nothing held it back, and the suspended one was passed over.
    await engine.solution('other-v-1', [{ name: 'other' }]);
    await engine.instance('other', { solution: 'other:1', target: { name: 'held' } });
    await engine.settled('instances', 'other');
    const concerning = mock.calls.slice(calls).filter(({ components }) => components.includes('web'));
    expect(concerning).toEqual([]);
    expect(await job('held')).toMatchObject({ state: 'suspended' });
    expect(mock.contents.find(({ name }) => name === 'web')?.properties).toEqual({ image: 'web:1' });

    await order('held', 'resume');
    await engine.until('the change', async () =>
      mock.contents.some(({ properties }) => properties?.['image'] === 'web:2') ? true : undefined,
    );
    await engine.settled('instances', 'held');
  });

  it('is not removed before it is resumed', async () => {
    const mock = mockControl('kept');
    await engine.target('kept', { topologies: mockTopology('kept') });
    await engine.solution('kept-v-1', [{ name: 'web' }]);
    await engine.instance('kept', { solution: 'kept:1', target: { name: 'kept' } });
    await engine.settled('instances', 'kept');
    await order('kept', 'suspend');
    await engine.ok('DELETE', '/instances/kept');
    await engine.until('the removal to be ordered', async () =>
      (await job('kept')).action === 'delete' ? true : undefined,
    );
    expect(await job('kept')).toMatchObject({ state: 'suspended', action: 'delete' });
    expect(mock.contents).toHaveLength(1);
    await order('kept', 'resume');
    await engine.gone('instances', 'kept');
    expect(mock.contents).toEqual([]);
  });

  it('is still suspended for the next engine', async () => {
    const mock = mockControl('lasting');
    await engine.target('lasting', { topologies: mockTopology('lasting') });
    await engine.solution('lasting-v-1', [{ name: 'web' }]);
    await engine.instance('lasting', { solution: 'lasting:1', target: { name: 'lasting' } });
    await engine.settled('instances', 'lasting');
    await order('lasting', 'suspend');
    await engine.leave();
    engine = await TestEngine.start({ databaseUrl: engine.databaseUrl });
    await engine.until('the lanes', async () =>
      (await job('lasting')).state === 'suspended' ? true : undefined,
    );
    mock.breakComponent('web');
    await order('lasting', 'resume');
    await engine.ok('POST', '/solution/queue?instance=lasting');
    await engine.until('the repair', async () => (mock.contents.length > 0 ? true : undefined));
  });

  it('must exist', async () => {
    const answer = await engine.request('POST', `/jobs/Instance/${engine.namespace}/nobody/suspend`);
    expect(answer).toMatchObject({ status: 404, body: { code: 'NotFound' } });
    const wrong = await engine.request('POST', `/jobs/Solution/${engine.namespace}/nobody/resume`);
    expect(wrong.status).toBe(400);
  });
});
