import { describe, expect, it } from 'vitest';
import { DeploymentError, type ConstraintCheck, generateForInstance } from '../src/index.js';
import { component, deploymentOf, stored, target } from './support.js';

const os = ['windows', 'linux', 'unix'].map((name) => target(name, { properties: { OS: name } }));
const byOs = (name: string) =>
  component(`for-${name}`, '', [], { constraints: `\${{$equal($property(OS),${name})}}` });

function pairs(deployment: ReturnType<typeof deploymentOf>): string[] {
  return deployment.assignments.map((item) => `${item.component}@${item.target}`);
}

describe('constraints', () => {
  it('say on which targets a component belongs', () => {
    const deployment = deploymentOf([byOs('windows'), byOs('linux'), component('all')], os);
    expect(pairs(deployment)).toEqual([
      'for-windows@windows',
      'for-linux@linux',
      'all@linux',
      'all@unix',
      'all@windows',
    ]);
  });

  it('do not hold on a target that lacks the property, and that is noted', () => {
    const deployment = deploymentOf([byOs('linux')], [...os, target('bare')]);
    expect(pairs(deployment)).toEqual(['for-linux@linux']);
    expect(deployment.notes).toMatchObject([{ target: 'bare', component: 'for-linux' }]);
  });

  it('that cannot be evaluated name the component and the target', () => {
    const broken = component('a', '', [], { constraints: '${{$nonsense(1)}}' });
    expect(() => deploymentOf([broken], os)).toThrow(
      expect.objectContaining({
        reason: 'ExpressionFailed',
        message: expect.stringMatching(/"a".*"linux"/) as string,
      }),
    );
    expect(() => deploymentOf([broken], os)).toThrow(DeploymentError);
  });

  it('are not asked for when everything is to be removed', () => {
    const broken = component('a', '', ['nobody'], { constraints: '${{$nonsense(1)}}' });
    expect(deploymentOf([broken], os, {}, { deletionTimestamp: 'now' }).assignments).toEqual([]);
  });

  it.each<[string, ConstraintCheck, number]>([
    ['true', () => true, 1],
    ['the text true', () => 'true', 1],
    ['another text', () => 'yes', 0],
    ['a number', () => 1, 0],
  ])('hold for true only: %s', (_what, constraint, count) => {
    const deployment = generateForInstance({
      instance: stored('Instance', 'i', { solution: 's', target: { name: '*' } }),
      solution: stored('Solution', 's', { components: [component('a', '', [], { constraints: 'x' })] }),
      targets: [target('T1')],
      jobId: '1',
      constraint,
    });
    expect(deployment.assignments).toHaveLength(count);
  });
});

it('the scope is that of the instance, else what the target says, else default', () => {
  const targets = [target('T1', { solutionScope: 'theirs', scope: 'own' }), target('T2')];
  const scopes = (scope?: string) =>
    deploymentOf([component('a')], targets, { scope }).assignments.map((a) => a.scope);
  expect(scopes('mine')).toEqual(['mine', 'mine']);
  expect(scopes()).toEqual(['theirs', 'default']);
});
