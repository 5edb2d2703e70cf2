import { Annotation, type StoredObject } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { generateForInstance, generateForTarget } from '../src/index.js';
import { changed, component, stored, target } from './support.js';

type Instance = StoredObject<'Instance'>;
type Solution = StoredObject<'Solution'>;
type Target = StoredObject<'Target'>;

const instance = stored('Instance', 'i', { solution: 's', target: { name: 'T*' }, parameters: { p: '1' } });
const solution = stored('Solution', 's', {
  components: [component('a', 'helm', [], { properties: { v: '1' } })],
});
const T1 = target('T1', { properties: { os: 'linux' } });
const T2 = target('T2');
const X = target('X');

function hash(
  change: { instance?: Partial<Instance>; solution?: Partial<Solution>; targets?: readonly Target[] } = {},
): string {
  return generateForInstance({
    instance: { ...instance, ...change.instance },
    solution: { ...solution, ...change.solution },
    targets: change.targets ?? [T1, T2, X],
    jobId: '1',
  }).hash;
}

const linux = changed(T1.spec, { properties: { os: 'linux' } });

describe('the hash of a deployment stays', () => {
  it.each<[string, string]>([
    ['when the objects are read again', hash(structuredClone({ instance, solution, targets: [T1, T2, X] }))],
    ['whatever the order of the targets', hash({ targets: [X, T2, T1] })],
    [
      'when only generations and versions grow',
      hash({ instance: { generation: 7, version: '9' }, solution: { generation: 3 } }),
    ],
    [
      'when status and labels are written',
      hash({ instance: { labels: { a: 'b' }, status: { reported: { properties: {}, lastModified: '' } } } }),
    ],
    [
      'when a target reports',
      hash({
        targets: [{ ...T1, status: { reported: { properties: { a: '1' }, lastModified: 'x' } } }, T2, X],
      }),
    ],
    ['when a target that does not match changes', hash({ targets: [T1, T2, { ...X, spec: linux }] })],
    [
      'when a name for display changes',
      hash({ instance: { spec: changed(instance.spec, { displayName: 'New' }) } }),
    ],
    [
      'when the policy changes',
      hash({ instance: { spec: changed(instance.spec, { reconciliationPolicy: { interval: '1m' } }) } }),
    ],
    [
      "when a target's own components change",
      hash({ targets: [{ ...T1, spec: changed(T1.spec, { components: [component('own')] }) }, T2, X] }),
    ],
  ])('%s', (_when, other) => {
    expect(other).toBe(hash());
  });
});

describe('the hash of a deployment moves', () => {
  it.each<[string, string]>([
    [
      'with the solution',
      hash({ solution: { spec: { components: [component('a', 'helm', [], { properties: { v: '2' } })] } } }),
    ],
    ['with a parameter', hash({ instance: { spec: changed(instance.spec, { parameters: { p: '2' } }) } })],
    ['with the scope', hash({ instance: { spec: changed(instance.spec, { scope: 'other' }) } })],
    [
      'with the scope of a target',
      hash({ targets: [{ ...T1, spec: changed(T1.spec, { solutionScope: 'other' }) }, T2, X] }),
    ],
    [
      'with a property of a target',
      hash({ targets: [{ ...T1, spec: changed(T1.spec, { properties: { os: 'mac' } }) }, T2, X] }),
    ],
    ['with a binding', hash({ targets: [{ ...T1, spec: changed(T1.spec, { topologies: [] }) }, T2, X] })],
    ['with a target that is made anew', hash({ targets: [{ ...T1, uid: 'other' }, T2, X] })],
    ['with a target that is being deleted', hash({ targets: [{ ...T1, deletionTimestamp: 'now' }, T2, X] })],
    ['with a target more', hash({ targets: [T1, T2, X, target('T3')] })],
    ['with a dry run', hash({ instance: { spec: changed(instance.spec, { isDryRun: true }) } })],
    ['when it is to be removed', hash({ instance: { deletionTimestamp: 'now' } })],
    ['when emptiness is allowed', hash({ instance: { annotations: { [Annotation.AllowEmpty]: 'true' } } })],
  ])('%s', (_when, other) => {
    expect(other).not.toBe(hash());
  });
});

it("the hash of a target's own deployment goes by its components, not by its reports", () => {
  const own = target('T', { components: [component('a')] });
  const hashed = (item: Target): string => generateForTarget({ target: item, jobId: '1' }).hash;
  expect(hashed({ ...own, generation: 9, labels: { a: 'b' } })).toBe(hashed(own));
  expect(hashed({ ...own, spec: changed(own.spec, { forceRedeploy: true }) })).toBe(hashed(own));
  expect(hashed({ ...own, spec: changed(own.spec, { components: [component('b')] }) })).not.toBe(hashed(own));
});
