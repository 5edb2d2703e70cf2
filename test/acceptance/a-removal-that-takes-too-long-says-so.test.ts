import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

/** Nobody waits in the dark: what is not gone when its time is over is Failed, says what is left, and is still being removed. */
describe('a removal that takes too long', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'reconcile.stepTimeoutSeconds': 30 } });
  });
  afterAll(() => engine.stop());

  async function deploy(name: string, timeout: string) {
    const mock = mockControl(`late-${name}`);
    await engine.target(`${name}-t`, { topologies: mockTopology(`late-${name}`) });
    await engine.solution(`${name}-s`, [{ name: 'a' }, { name: 'b' }]);
    await engine.ok('POST', `/instances/${name}`, {
      metadata: { annotations: { 'delete-timeout': timeout } },
      spec: { solution: `${name}-s`, target: { name: `${name}-t` } },
    });
    await engine.settled('instances', name);
    return mock;
  }

  const statusOf = async (name: string) => (await engine.get('instances', name))?.status;
  const saysLate = (name: string, why = /Timed Out/) =>
    engine.until(
      `instance ${name} to say that its removal is late`,
      async () => {
        const status = await statusOf(name);
        return status?.reason === 'DeleteTimedOut' && why.test(status.statusDetails ?? '')
          ? status
          : undefined;
      },
      () => statusOf(name),
    );

  it('because the provider refuses says so in the words that clients of Symphony look for, and what is left', async () => {
    const mock = await deploy('refused', '1s');
    mock.set({ failApply: ['b'] });
    await engine.ok('DELETE', '/instances/refused');
    const status = await saysLate('refused', /ProviderFailed/);
    expect(status).toMatchObject({ status: 'Failed', provisioningStatus: { status: 'Failed' } });
    const message = status.provisioningStatus?.error?.message ?? '';
    expect(message).toMatch(
      /^Timed Out: the removal has not ended within 1s\. Left: b on refused-t\. ProviderFailed: /,
    );
    mock.heal();
    await engine.ok('POST', '/solution/queue?instance=refused&namespace=default&objectType=instance');
    await engine.gone('instances', 'refused');
    expect(mock.contents).toEqual([]);
  });

  it('because the provider does not answer says so while it is still being called', async () => {
    const mock = await deploy('hung', '1500ms');
    mock.set({ latencyMs: 10_000 });
    await engine.ok('DELETE', '/instances/hung');
    const status = await saysLate('hung');
    expect(status.status).toBe('Failed');
    expect(status.statusDetails).toMatch(/Left: a on hung-t, b on hung-t\./);
    // The call under way goes on, and does its work.
    expect(mock.contents).toHaveLength(2);
    await engine.gone('instances', 'hung');
    expect(mock.contents).toEqual([]);
  });
});
