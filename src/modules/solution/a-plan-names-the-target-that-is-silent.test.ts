import { randomBytes } from 'node:crypto';
import type { ComponentSpec, StoredObject, TopologySpec } from '@symphony/model';
import { generateInline } from '@symphony/planning';
import { expect, test } from 'vitest';
import { ProviderRegistry } from '../providers/index.js';
import { DesiredStateReader, type Snapshot } from './desired-state.js';
import { Explainer } from './explain.js';
import { lookWithin } from './look-within.js';
import { ProviderCalls } from './provider-calls.js';
import { RunPlanner } from './run-planner.js';
import { TargetHealth } from './target-health.js';
import { ValueSources } from './values/value-source.js';

const LONG_MS = 60_000;

class NoBreakers extends TargetHealth {
  readonly failed = (): Promise<undefined> => Promise.reject(new Error('a plan touches nothing'));
  readonly recovered = (): Promise<void> => Promise.reject(new Error('a plan touches nothing'));
  readonly takeProbe = (): Promise<boolean> => Promise.reject(new Error('a plan touches nothing'));
}

class OneInstance extends DesiredStateReader {
  constructor(private readonly snapshot: Snapshot) {
    super();
  }

  read(): Promise<Snapshot> {
    return Promise.resolve(this.snapshot);
  }

  readInline(): Promise<Pick<Snapshot, 'ledger' | 'unhealthy'>> {
    return Promise.resolve({ ledger: [], unhealthy: [] });
  }
}

const topologies = (answers: 'at once' | 'never'): TopologySpec[] => [
  { bindings: [{ role: 'instance', provider: 'providers.target.test', config: { answers } }] },
];

function stored<K extends 'Instance' | 'Solution' | 'Target'>(
  kind: K,
  name: string,
  spec: StoredObject<K>['spec'],
): StoredObject<K> {
  const common = { namespace: 'default', labels: {}, annotations: {}, createdAt: '2026-01-01T00:00:00Z' };
  return { kind, name, uid: `uid-${name}`, generation: 1, version: '1', spec, status: {}, ...common };
}

const SNAPSHOT: Snapshot = {
  object: stored('Instance', 'app', { solution: 'app', target: { name: 't*' } }),
  solution: stored('Solution', 'app', { components: [{ name: 'web', properties: { image: 'web:1' } }] }),
  targets: [
    stored('Target', 't-well', { topologies: topologies('at once') }),
    stored('Target', 't-silent', { topologies: topologies('never') }),
  ],
  ledger: [],
  unhealthy: [],
};

/** @param heeds whether the target that never answers ends its call when it is told to */
function planner(heeds = true): RunPlanner {
  const registry = new ProviderRegistry();
  registry.register({
    type: 'providers.target.test',
    concurrency: 1,
    create: ({ answers }) => ({
      rule: {},
      apply: () => Promise.reject(new Error('a plan touches nothing')),
      get: ({ signal }): Promise<ComponentSpec[]> =>
        answers === 'at once'
          ? Promise.resolve([])
          : new Promise((_, reject) => {
              if (heeds) signal.addEventListener('abort', () => reject(new Error('told to end')));
            }),
    }),
  });
  const calls = new ProviderCalls(registry, { callTimeoutMs: LONG_MS, abortGraceMs: heeds ? LONG_MS : 50 });
  const options = { digestKey: randomBytes(32), targetsAtOnce: 4 };
  return new RunPlanner(new ValueSources([]), calls, new NoBreakers(), options);
}

const KEY = { kind: 'Instance', namespace: 'default', name: 'app' } as const;

test.each([true, false])('the plan for the other targets stands (ends when told to: %s)', async (heeds) => {
  const options = { patienceMs: 100, deadlineMs: 10_000 };
  const found = await new Explainer(new OneInstance(SNAPSHOT), planner(heeds), options).explain(KEY);
  expect(found.inSync).toBe(false);
  expect(found.blocked).toBeUndefined();
  expect(found.targets.map(({ name, actions }) => [name, actions[0]?.reason])).toEqual([
    ['t-silent', { code: 'ProviderTimeout', message: expect.stringMatching(/^No answer within 0\.1 s\./) }],
    ['t-well', expect.objectContaining({ code: 'NotDeployed' })],
  ]);
  expect(found.targets[0]?.actions[0]?.action).not.toBe('create');
});

const TOO_SLOW = { status: 503, code: 'TargetsTooSlow', message: expect.stringContaining('within 0.1 s') };

test('what runs into the deadline all the same is 503 and says so, whatever the look makes of it', async () => {
  const options = { patienceMs: LONG_MS, deadlineMs: 100 };
  const explainer = new Explainer(new OneInstance(SNAPSHOT), planner(), options);
  await expect(explainer.explain(KEY)).rejects.toMatchObject(TOO_SLOW);
  await expect(lookWithin(100, () => new Promise(() => undefined))).rejects.toMatchObject(TOO_SLOW);
  const deployment = generateInline({
    wire: {
      solutionName: 's',
      solution: { spec: { components: [{ name: 'web' }] } },
      instance: { metadata: { name: 'posted' }, spec: {} },
      targets: { t: { spec: { topologies: topologies('never') } } },
      assignments: { t: '{web}' },
    },
    removal: false,
  });
  await expect(lookWithin(100, (stop) => planner().observe(deployment, [], stop))).rejects.toMatchObject(
    TOO_SLOW,
  );
});

test('a look that ends in time is told as it ended, and leaves no timer', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  await expect(lookWithin(LONG_MS, () => Promise.resolve('seen'))).resolves.toBe('seen');
  await expect(lookWithin(LONG_MS, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before);
});
