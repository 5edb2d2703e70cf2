import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, mockTopology, TestEngine, type Wire } from '../support/engine.js';

const ALL_MS = 240_000;
/** A thousand components, one after the other. */
const EACH_MS = 100_000;

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start({ config: { 'reconcile.stepTimeoutSeconds': 2 } });
});
afterAll(() => engine.stop());

interface Odd {
  components?: object[];
  solution?: object;
  target?: object;
  instance?: object;
  /** What it deploys cannot be removed either: only `orphan=true` gets rid of it. */
  sticks?: boolean;
}

const good = (name: string): object => ({ topologies: mockTopology(name) });
const one = (component: object): object[] => [{ name: 'c', ...component }];
const property = (value: unknown): Odd => ({ components: one({ properties: { value } }) });
const manyComponents = Array.from({ length: 1000 }, (_, n) => ({
  name: `c${n}`,
  properties: { n: String(n) },
  ...(n > 0 ? { dependencies: [`c${n - 1}`] } : {}),
}));

/** Declarations that are valid and odd. Each is refused with 400, or runs and ends with a reason. */
const ODD: Readonly<Record<string, Odd>> = {
  'nothing at all': { components: [], target: {}, instance: {} },
  'a target without topologies': { target: {} },
  'an unclosed group as the name pattern': { instance: { target: { name: '(*' } } },
  'all regex as the name pattern': { instance: { target: { name: '.*+?^${}()|[]\\' } } },
  'many wildcards': { instance: { target: { name: `${'*a'.repeat(100)}*b` } } },
  'many wildcards in a selector': {
    target: { properties: { os: 'a'.repeat(5000) }, topologies: mockTopology('wild') },
    instance: { target: { selector: { os: `${'*a'.repeat(100)}b` } } },
  },
  'a selector of nothing': { instance: { target: { selector: { '': '' } } } },
  'a solution that is not there': { instance: { solution: 'nowhere:9' } },
  'itself as the solution': { instance: { solution: 'itself' } },
  'a cycle of two': {
    components: [
      { name: 'a', dependencies: ['b'] },
      { name: 'b', dependencies: ['a'] },
    ],
  },
  'a cycle of one': { components: one({ dependencies: ['c'] }) },
  'a dependency on nothing': { components: one({ dependencies: ['', 'none', '🙂'] }) },
  'the same name twice': { components: [{ name: 'c' }, { name: 'c', type: 'other' }] },
  'emoji as the name': { components: [{ name: '🙂' }, { name: '👨‍👩‍👧' }, { name: 'a{b}c' }, { name: '}{' }] },
  'names of prototypes': {
    components: [{ name: '__proto__' }, { name: 'constructor' }, { name: 'toString' }],
  },
  'a very long name': { components: [{ name: 'x'.repeat(3000) }] },
  '1000 components in a row': { components: manyComponents },
  'a provider that nobody knows': {
    target: { topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.none' }] }] },
  },
  'a provider that is switched off': {
    target: { topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.script' }] }] },
  },
  'names of prototypes as provider and role': {
    target: {
      topologies: [{ bindings: [{ role: 'constructor', provider: '__proto__', config: { toString: 'x' } }] }],
    },
  },
  'empty bindings': {
    target: { topologies: [{}, { bindings: [] }, { bindings: [{ role: '', provider: '' }] }] },
  },
  'two bindings of one role': {
    target: { topologies: [...mockTopology('twice-a'), ...mockTopology('twice-b')] },
  },
  'a mock that makes no sense': { target: { topologies: mockTopology('odd', { latencyMs: 'soon' }) } },
  'a mock that hangs': {
    sticks: true,
    target: { topologies: mockTopology('odd-hangs', { hangApply: 'true' }) },
  },
  'a role that nobody offers': { components: one({ type: 'helm.v3' }) },
  'an expression that is cut off': property('${{'),
  'an expression with a comma too many': property('${{a,}}'),
  'a call by number': property('${{$param(1)}}'),
  'a function that nobody knows': property('${{$explode()}}'),
  'a deep expression': property(`\${{${'('.repeat(2000)}1${')'.repeat(2000)}}}`),
  'a long expression': property(`\${{${'1+'.repeat(20_000)}1}}`),
  'a division by nothing': property('${{1/0}}'),
  'an expression of expressions': property('${{${{$param(a)}}}}'),
  'a parameter that holds an expression': {
    components: one({ parameters: { a: '${{$param(a)}}' }, properties: { v: '${{$param(a)}}' } }),
  },
  'a secret that is not there': property('${{$secret(none,none)}}'),
  'a path to somewhere else': property('${{$secret(../../etc,passwd)}}${{$config(../x,y)}}'),
  'a regular expression as a value': property('${{$json((a+)+$)}}'),
  'a deep property': property(Array.from({ length: 40 }).reduce<unknown>((inner) => ({ a: [inner] }), 'x')),
  'a constraint that is no expression': { components: one({ constraints: 'maybe' }) },
  'a constraint that fails': { components: one({ constraints: '${{$explode(1)}}' }) },
  'a constraint that nothing meets': { components: one({ constraints: '${{$equal($property(os),amiga)}}' }) },
  'sidecars without a name': { components: one({ sidecars: [{}, { name: 'c' }] }) },
  'a scope full of dots': { instance: { scope: '../../..' } },
  'a policy of a nanosecond': { instance: { reconciliationPolicy: { state: 'active', interval: '1ns' } } },
  'a policy of centuries': { instance: { reconciliationPolicy: { state: 'active', interval: '9000000h' } } },
  'a state that is none': { instance: { activeState: 'sleepy' } },
};

async function declare(kind: string, name: string, spec: object): Promise<Answer> {
  const answer = await engine.request('POST', `/${kind}/${name}`, { spec });
  expect([200, 400, 422], answer.text).toContain(answer.status);
  if (answer.status !== 200)
    expect(answer.body).toMatchObject({
      code: expect.any(String) as string,
      detail: expect.stringMatching(/./) as string,
    });
  return answer;
}

/** Waits until a run has looked at the newest generation, and has said what came of it. */
async function explained(kind: 'instances' | 'targets/registry', name: string): Promise<void> {
  const wire = await engine.until(
    `${kind}/${name} to have an outcome`,
    async () => {
      const found = await engine.get(kind, name);
      return found?.status?.observedGeneration === found?.metadata.generation &&
        found?.status?.status !== 'Reconciling'
        ? found
        : undefined;
    },
    () => engine.get(kind, name),
    EACH_MS,
  );
  expect(wire.status?.reason, JSON.stringify(wire.status)).toMatch(/^[A-Z]\w+$/);
  expect(wire.status?.statusDetails?.length, JSON.stringify(wire.status)).toBeGreaterThan(10);
}

test.each(Object.entries(ODD))('%s', { timeout: ALL_MS }, async (what, odd) => {
  const number = Object.keys(ODD).indexOf(what);
  const [t, s, i] = [`t${number}`, `s${number}`, `i${number}`];
  const accepted = [
    await declare('targets/registry', t, odd.target ?? good(what)),
    await declare('solutions', s, odd.solution ?? { components: odd.components ?? [{ name: 'c' }] }),
    await declare('instances', i, { solution: s, target: { name: t }, ...odd.instance }),
  ].map(({ status }) => status === 200);
  if (accepted[0]) await explained('targets/registry', t);
  if (accepted[2]) {
    await explained('instances', i);
    for (const view of ['plan', 'runs']) {
      const answer = await engine.request('GET', `/instances/${i}/${view}`);
      expect(answer.status, answer.text).toBe(200);
    }
    expect((await engine.summary(i))?.state).toBeDefined();
    // What is odd can be made good.
    if (accepted[0] && accepted[1]) {
      await engine.target(t, { topologies: mockTopology(what) });
      await engine.solution(s, [{ name: 'good' }]);
    }
  }
  for (const [kind, name, there] of [
    ['instances', i, accepted[2]],
    ['targets/registry', t, accepted[0]],
    ['solutions', s, accepted[1]],
  ] as const) {
    if (!there) continue;
    await engine.ok('DELETE', `/${kind}/${name}${odd.sticks && kind === 'instances' ? '?orphan=true' : ''}`);
    await engine.until(
      `${kind}/${name} to be gone`,
      async () => ((await engine.get(kind, name)) ? undefined : true),
      () => engine.get(kind, name),
      EACH_MS,
    );
  }
  const { faults } = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
  expect(faults).toEqual({ unhandledRejection: 0, uncaughtException: 0 });
});

test('a scope that changes, a dry run that is switched on: refused, and the object is as it was', async () => {
  await engine.target('fixed', { scope: 'a', topologies: mockTopology('fixed') });
  await engine.solution('fixed', [{ name: 'c' }]);
  await engine.instance('fixed', { solution: 'fixed', scope: 'a', target: { name: 'fixed' } });
  await engine.settled('instances', 'fixed');
  for (const [kind, spec] of [
    ['instances', { solution: 'fixed', scope: 'b', target: { name: 'fixed' } }],
    ['instances', { solution: 'fixed', scope: 'a', isDryRun: true, target: { name: 'fixed' } }],
    ['targets/registry', { scope: 'b', topologies: mockTopology('fixed') }],
  ] as const) {
    const before = await engine.get(kind, 'fixed');
    const answer = await engine.request<{ code: string }>('POST', `/${kind}/fixed`, { spec });
    expect([answer.status, answer.body.code]).toEqual([400, 'ImmutableField']);
    expect((await engine.get(kind, 'fixed'))?.metadata).toEqual((before as Wire).metadata);
  }
});
