import { InvalidInputError } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { generateForTarget, generateInline, toWireDeployment, wireForRemoval } from '../src/index.js';
import { binding, component, deployed, deploymentOf, target } from './support.js';

const place = { spec: { topologies: [{ bindings: [binding('instance'), binding('helm')] }] } };
const wire = {
  solutionName: 'app-v-1',
  solution: {
    metadata: { name: 'app-v-1' },
    spec: { components: [component('b', 'helm', ['a']), component('a'), component('c', 'docker')] },
  },
  instance: {
    metadata: { name: 'app', annotations: { 'symphony/allow-empty': 'true' } },
    spec: { scope: 's' },
  },
  targets: { T1: place, T2: place },
  assignments: { T1: '{a}{b}', T2: '{a}{c}' },
  generation: '18',
  jobID: '5',
  hash: 'posted',
  isDryRun: true,
};

describe('a posted deployment', () => {
  it('is exactly what its assignments say', () => {
    const deployment = generateInline({ wire, removal: false });
    expect(deployment.assignments.map((item) => `${item.component}@${item.target} ${item.scope}`)).toEqual([
      'a@T1 s',
      'a@T2 s',
      'b@T1 s',
    ]);
    expect(deployment.gaps).toMatchObject([
      { component: 'c', target: 'T2', reason: { code: 'RoleNotOffered' } },
    ]);
    expect(deployment).toMatchObject({
      owner: { kind: 'Inline', namespace: 'default', name: 'app', uid: 'inline:default:app' },
      targets: [
        { name: 'T1', uid: 'inline:default:T1' },
        { name: 'T2', uid: 'inline:default:T2' },
      ],
      generation: '18',
      jobId: '5',
      postedHash: 'posted',
      dryRun: true,
      allowEmpty: true,
      removal: false,
    });
  });

  it('may be limited to one target', () => {
    const deployment = generateInline({ wire, removal: false, activeTarget: 'T2' });
    expect(deployment.onlyTarget).toBe('T2');
    expect(deployment.assignments.map((item) => `${item.component}@${item.target}`)).toEqual(['a@T2']);
    expect(() => generateInline({ wire: { ...wire, activeTarget: 'T9' }, removal: false })).toThrow(
      InvalidInputError,
    );
  });

  it('knows the uids of stored targets', () => {
    const deployment = generateInline({ wire, removal: false, targetUids: new Map([['T1', 'u1']]) });
    expect(deployment.targets.map((item) => item.uid)).toEqual(['u1', 'inline:default:T2']);
  });

  it.each([
    ['removal', generateInline({ wire, removal: true }), 'OwnerDeleting'],
    ['isInActive', generateInline({ wire: { ...wire, isInActive: true }, removal: false }), 'Inactive'],
    [
      'a removal of a broken one',
      generateInline({ wire: { ...wire, assignments: { X: 'y' } }, removal: true }),
      'OwnerDeleting',
    ],
  ])('is removed by %s', (_how, deployment, why) => {
    expect(deployment).toMatchObject({ removal: true, removalReason: why, assignments: [], gaps: [] });
  });

  it.each<[string, unknown]>([
    ['', null],
    ['', []],
    ['', 'text'],
    ['solution', { ...wire, solution: null }],
    ['solution.spec', { ...wire, solution: { metadata: {} } }],
    ['solution.spec', { ...wire, solution: { spec: 7 } }],
    ['instance', { ...wire, instance: undefined }],
    ['instance.spec', { ...wire, instance: { metadata: { name: 'x' } } }],
    ['instance.metadata.name', { ...wire, instance: { spec: {} } }],
    ['instance.metadata.name', { ...wire, instance: { metadata: { name: 5 }, spec: {} } }],
    ['instance.metadata.name', { ...wire, instance: { metadata: { name: '../x' }, spec: {} } }],
    ['targets.T1', { ...wire, targets: { T1: null } }],
    ['targets.T1.spec', { ...wire, targets: { T1: {} } }],
    ['targets.T1.spec.properties', { ...wire, targets: { T1: { spec: { properties: { n: 1 } } } } }],
    ['assignments.T1', { ...wire, assignments: { T1: '{nobody}' } }],
    ['assignments.T1', { ...wire, assignments: { T1: 'a' } }],
    ['assignments.T9', { ...wire, assignments: { T9: '{a}' } }],
    ['assignments', { ...wire, assignments: 'a' }],
    ['generation', { ...wire, generation: 18 }],
    ['isDryRun', { ...wire, isDryRun: 'yes' }],
    ['solution.spec.components[0].name', { ...wire, solution: { spec: { components: [{}] } } }],
  ])('that is wrong at %j is refused with that path', (path, body) => {
    expect(() => generateInline({ wire: body, removal: false })).toThrow(
      expect.objectContaining({ status: 400, problems: [expect.objectContaining({ path }) as object] }),
    );
  });
});

describe('the wire form of a deployment', () => {
  const targets = [target('T1', { solutionScope: 'theirs' }), target('T2')];

  it('carries what Symphony carries, and can be posted', () => {
    const deployment = deploymentOf([component('b', 'helm', ['a']), component('a')], targets, {
      metadata: { k: 'v' },
    });
    const resolved = component('a', '', [], { properties: { pw: 'resolved' } });
    const form = toWireDeployment(deployment, { activeTarget: 'T1', components: [resolved] });
    expect(form).toMatchObject({
      solutionName: 's',
      assignments: { T1: '{a}{b}', T2: '{a}{b}' },
      activeTarget: 'T1',
      generation: '1',
      jobID: '1',
      objectNamespace: 'default',
      hash: deployment.hash,
      isDryRun: false,
      isInActive: false,
      solution: { spec: { components: [resolved, { name: 'b' }] } },
      instance: { metadata: { name: 'i' }, spec: { scope: 'theirs', metadata: { k: 'v' } } },
    });
    const again = generateInline({ wire: JSON.parse(JSON.stringify(form)), removal: false });
    expect(again.assignments.map((item) => `${item.component}@${item.target}`)).toEqual(['a@T1', 'b@T1']);
  });

  it('shares nothing with the deployment', () => {
    const deployment = deploymentOf([component('a', '', [], { properties: { v: '1' } })], targets);
    const before = structuredClone(deployment);
    const form = toWireDeployment(deployment) as {
      solution: { spec: { components?: { properties: object }[] } };
    };
    Object.assign(form.solution.spec.components?.[0]?.properties ?? {}, { v: 'changed' });
    expect(structuredClone(deployment)).toEqual(before);
  });

  it("of a target's own components names them as Symphony does", () => {
    const own = target('T', { components: [component('a')], scope: 'own' }, { annotations: { Guid: 'g' } });
    expect(
      toWireDeployment(generateForTarget({ target: own, jobId: '1' }), { activeTarget: 'T' }),
    ).toMatchObject({
      solutionName: 'target-runtime-T',
      assignments: { T: '{a}' },
      instance: {
        metadata: { name: 'target-runtime-T', annotations: { Guid: 'g' } },
        spec: { scope: 'own', target: { name: 'T' } },
      },
    });
  });

  it('can be made of the ledger alone', () => {
    const deployment = deploymentOf([component('a'), component('b', 'helm')], targets);
    const form = wireForRemoval(deployment.owner, deployed(deployment).ledger, {
      activeTarget: 'T1',
      jobId: '9',
    });
    expect(form).toMatchObject({
      solutionName: 'i',
      assignments: { T1: '{a}{b}', T2: '{a}{b}' },
      jobID: '9',
      instance: { spec: { scope: 'theirs' } },
    });
    const posted = generateInline({ wire: JSON.parse(JSON.stringify(form)), removal: false });
    expect(posted.assignments.map((item) => `${item.component}@${item.target}`)).toEqual(['a@T1', 'b@T1']);
  });
});
