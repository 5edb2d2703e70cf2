import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ComponentSpec, DeploymentOwner } from '@symphony/model';
import type { ApplyResults, ComponentStep, ProviderCall } from '@symphony/provider-kit';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { mockControl, mockProvider, type MockControl } from './index.js';

let id: string;
let control: MockControl;
beforeEach(() => {
  id = randomUUID();
  control = mockControl(id);
});

const provider = (config: Record<string, string> = {}) =>
  mockProvider().create({ id, ...config }, { role: 'instance', provider: 'providers.target.mock' });
const component = (name: string): ComponentSpec => ({ name, properties: { image: 'nginx' } });
const stepsOf = (names: readonly string[], action: ComponentStep['action'] = 'update'): ComponentStep[] =>
  names.map((name) => ({ action, component: component(name) }));

function apply(
  names: readonly string[],
  config: Record<string, string> = {},
  overrides: Partial<ProviderCall> = {},
): Promise<ApplyResults> {
  const steps = stepsOf(names);
  return provider(config).apply({ ...sampleCall([], overrides), steps, dryRun: false, isFirst: true });
}

function get(names: readonly string[], config: Record<string, string> = {}): Promise<ComponentSpec[]> {
  return provider(config).get({ ...sampleCall([]), references: stepsOf(names) });
}

describe('a fault in the configuration of the binding', () => {
  it('fails single components, or all', async () => {
    const single = await apply(['a', 'b', 'c'], { failApply: 'a, c' });
    expect(Object.entries(single).map(([name, { status }]) => [name, status])).toEqual([
      ['a', 8001],
      ['b', 8004],
      ['c', 8001],
    ]);
    expect(control.contents.map(({ name }) => name)).toEqual(['b']);
    expect((await apply(['d'], { failApply: '*' }))['d']?.status).toBe(8001);
  });

  it('loses the answer after the work was done', async () => {
    await expect(apply(['a'], { loseReply: 'true' })).rejects.toMatchObject({ reason: 'ProviderFailed' });
    expect(control.contents).toEqual([component('a')]);
  });

  it('lies about what is there', async () => {
    await apply(['a']);
    expect(await get(['a'], { lie: 'nothing' })).toEqual([]);
    const [found] = await get(['a'], { lie: 'other' });
    expect(found?.properties).not.toEqual(component('a').properties);
    expect(await get(['a'])).toEqual([component('a')]);
  });

  it('delays calls, and an abort ends the delay', async () => {
    const from = performance.now();
    await apply(['a'], { latencyMs: '50' });
    expect(performance.now() - from).toBeGreaterThanOrEqual(45);
    const signal = AbortSignal.timeout(20);
    await expect(apply(['b'], { latencyMs: '60000' }, { signal })).rejects.toMatchObject({
      reason: 'ProviderTimeout',
    });
  });

  it.each([
    [{ latencyMs: 'soon' }, 'latencyMs'],
    [{ latencyMs: '-1' }, 'latencyMs'],
    [{ failGet: 'yes' }, 'failGet'],
    [{ lie: 'much' }, 'lie'],
  ])('is refused when it makes no sense: %o', (config, key) => {
    expect(() => provider(config)).toThrow(`'${key}'`);
  });
});

describe('the control', () => {
  it('sets and heals faults of a running target', async () => {
    control.set({ failGet: true });
    await expect(get(['a'])).rejects.toMatchObject({ reason: 'ObservationFailed' });
    control.heal();
    expect(await get(['a'])).toEqual([]);
    control.set({ failGet: false });
    expect(await get(['a'], { failGet: 'true' })).toEqual([]);
  });

  it('breaks components behind the back of the engine', async () => {
    await apply(['a', 'b']);
    control.breakComponent('a');
    control.breakComponent('b', { image: 'other' });
    expect(await get(['a', 'b'])).toEqual([{ name: 'b', properties: { image: 'other' } }]);
  });

  it('records calls, and how many ran at the same time for each owner', async () => {
    const owner = (name: string): DeploymentOwner => ({
      kind: 'Instance',
      namespace: 'default',
      name,
      uid: name,
    });
    const slow = { latencyMs: '30' };
    await Promise.all([
      apply(['a'], slow, { owner: owner('x') }),
      apply(['b'], slow, { owner: owner('x') }),
      apply(['c'], slow, { owner: owner('y') }),
    ]);
    expect(control.maxConcurrency('Instance/default/x')).toBe(2);
    expect(control.maxConcurrency('Instance/default/y')).toBe(1);
    expect(control.maxConcurrency()).toBe(3);
    expect(control.calls.map((call) => [call.operation, call.components, call.outcome])).toEqual([
      ['apply', ['a'], 'fulfilled'],
      ['apply', ['b'], 'fulfilled'],
      ['apply', ['c'], 'fulfilled'],
    ]);
    for (const { startedAt, endedAt = 0 } of control.calls) expect(endedAt).toBeGreaterThan(startedAt);
  });

  it('tells when a condition comes true', async () => {
    const held = control.until(({ contents }) => contents.length === 1);
    await apply(['a']);
    await held;
    const never = control.until(() => false, AbortSignal.timeout(20));
    await expect(never).rejects.toThrow('aborted');
  });

  it('hands out copies: nobody changes the target by accident', async () => {
    await apply(['a']);
    const [found] = control.contents;
    if (found?.properties) found.properties['image'] = 'changed';
    expect(control.contents).toEqual([component('a')]);
  });
});

it('shares contents between targets with the same id, and separates targets without one', async () => {
  const target = (uid: string) => ({ target: { name: 'same-name', uid, spec: sampleCall([]).target.spec } });
  const [first, second] = [randomUUID(), randomUUID()];
  await apply(['a'], {}, target(first));
  expect(control.contents).toHaveLength(1);
  await apply(['a'], { id: '' }, target(first));
  expect(mockControl(`target:${first}`).contents).toHaveLength(1);
  expect(mockControl(`target:${second}`).contents).toHaveLength(0);
});
