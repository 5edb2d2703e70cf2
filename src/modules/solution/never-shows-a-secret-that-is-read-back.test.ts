import { randomBytes } from 'node:crypto';
import type { ComponentSpec, LedgerEntry } from '@symphony/model';
import { generateInline } from '@symphony/planning';
import { expect, test } from 'vitest';
import { callsOf, TYPE } from './provider-calls.fixture.js';
import { RunPlanner } from './run-planner.js';
import { TargetHealth } from './target-health.js';
import { ValueSources } from './values/value-source.js';

const SECRET = 's3cret-value';
const OLDER = 'what-it-was-before';

class NoBreakers extends TargetHealth {
  readonly failed = (): Promise<undefined> => Promise.reject(new Error('a look touches nothing'));
  readonly recovered = (): Promise<void> => Promise.reject(new Error('a look touches nothing'));
  readonly takeProbe = (): Promise<boolean> => Promise.reject(new Error('a look touches nothing'));
}

const WANTED: ComponentSpec = {
  name: 'web',
  properties: { image: 'web:1', 'env.PASSWORD': '${{$secret(db,password)}}', note: 'none' },
  sidecars: [{ name: 's', properties: { copied: ['${{$secret(db,password)}}'] } }],
};
const LEFT: ComponentSpec = { name: 'old', properties: { token: '${{$secret(db,password)}}', size: 1 } };
const GONE: ComponentSpec = { name: 'gone', properties: { token: '${{$secret(no,password)}}' } };

/** What `GET solution/instances` answers when the target reports this. */
async function shown(found: ComponentSpec[]): Promise<ComponentSpec[]> {
  const { calls } = callsOf(() => ({ get: () => Promise.resolve(found) }));
  const sources = new ValueSources([
    {
      name: 'test',
      lookup: ({ object }) =>
        Promise.resolve(
          object === 'db' ? { value: SECRET } : { failure: 'NotFound' as const, message: 'there is none' },
        ),
    },
  ]);
  const options = { digestKey: randomBytes(32), targetsAtOnce: 4 };
  const deployment = generateInline({
    wire: {
      solutionName: 's',
      solution: { spec: { components: [WANTED] } },
      instance: { metadata: { name: 'posted' }, spec: {} },
      targets: { t: { spec: { topologies: [{ bindings: [{ role: 'instance', provider: TYPE }] }] } } },
      assignments: { t: '{web}' },
    },
    removal: false,
  });
  const [place] = deployment.assignments;
  const [target] = deployment.targets;
  if (!place || !target) throw new Error('the deployment has one assignment');
  const ledger = [LEFT, GONE].map((applied): LedgerEntry => {
    const { role, binding, bindingHash, scope } = place;
    return {
      owner: deployment.owner,
      targetUid: target.uid,
      targetName: target.name,
      component: applied.name,
      provider: TYPE,
      role,
      binding,
      bindingHash,
      scope,
      applied,
      digest: '',
      state: 'applied',
      generation: '1',
      updatedAt: '2026-01-01T00:00:00Z',
    };
  });
  const planner = new RunPlanner(sources, calls, new NoBreakers(), options);
  return planner.observe(deployment, ledger, new AbortController().signal);
}

test('neither as it is now, wherever the target shows it, nor as it was before', async () => {
  const now = await shown([
    {
      name: 'web',
      properties: { image: 'web:1', 'env.PASSWORD': SECRET, note: `it is ${SECRET}` },
      sidecars: [{ name: 's', properties: { copied: [SECRET] } }],
    },
  ]);
  expect(now).toEqual([
    {
      name: 'web',
      properties: { image: 'web:1', 'env.PASSWORD': '•••', note: 'it is •••' },
      sidecars: [{ name: '•••', properties: { copied: ['•••'] } }],
    },
  ]);
  // In which order a target reports what a list holds is not known: all of it may be the secret.
  const before = await shown([
    { name: 'web', properties: { image: 'web:1', 'env.PASSWORD': OLDER }, sidecars: [{ name: OLDER }] },
  ]);
  expect(before).toEqual([
    { name: 'web', properties: { image: 'web:1', 'env.PASSWORD': '•••' }, sidecars: [{ name: '•••' }] },
  ]);
});

test('nor of what an earlier deployment left, also where nobody knows the secret any more', async () => {
  expect(
    await shown([
      { name: 'old', properties: { token: OLDER, size: 1, quoted: `"${SECRET}"` } },
      { name: 'gone', properties: { token: OLDER, size: 1 } },
    ]),
  ).toEqual([
    { name: 'old', properties: { token: '•••', size: 1, quoted: '"•••"' } },
    { name: 'gone', properties: { token: '•••', size: 1 } },
  ]);
});
