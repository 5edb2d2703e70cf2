import { Annotation } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { DeploymentError, generateForInstance, plan } from '../src/index.js';
import { component, deployed, deploymentOf, planInput, shown, stored, target, told } from './support.js';

const targets = [target('T1'), target('T2')];
const world = deployed(deploymentOf([component('a'), component('b')], targets));

describe('a deployment that comes out empty', () => {
  it.each([
    ['because the solution has no components any more', deploymentOf([], targets)],
    [
      'because no target matches any more',
      deploymentOf([component('a')], targets, { target: { name: 'gone' } }),
    ],
    ['because there is no target any more', deploymentOf([component('a')], [])],
    [
      'because no constraint holds any more',
      deploymentOf([component('a', '', [], { constraints: "${{$property('os')}}" })], targets),
    ],
  ])('removes nothing, %s', (_why, deployment) => {
    const made = plan(planInput(deployment, world));
    expect(made.steps).toEqual([]);
    expect(made.guard?.code).toBe('EmptyDeployment');
    expect(told(made).toSorted()).toEqual([
      'keep a@T1 EmptyDeployment',
      'keep a@T2 EmptyDeployment',
      'keep b@T1 EmptyDeployment',
      'keep b@T2 EmptyDeployment',
    ]);
  });

  it('removes everything once it is confirmed by the annotation', () => {
    const confirmed = deploymentOf([], targets, {}, { annotations: { [Annotation.AllowEmpty]: 'true' } });
    const made = plan(planInput(confirmed, world));
    expect(made.guard).toBeUndefined();
    expect(made.steps.flatMap((step) => step.actions)).toHaveLength(4);
  });

  it.each([
    ['a deletion', deploymentOf([], [], {}, { deletionTimestamp: 'now' }), 'OwnerDeleting'],
    [
      'activeState: inactive',
      deploymentOf([component('a')], targets, { activeState: 'inactive' }),
      'Inactive',
    ],
  ])('is what %s means', (_what, deployment, code) => {
    const made = plan(planInput(deployment, world));
    expect(made.guard).toBeUndefined();
    expect(made.steps.flatMap((step) => step.actions).map((action) => action.reason.code)).toEqual(
      Array.from({ length: 4 }, () => code),
    );
  });

  it('still leaves a target that is being deleted', () => {
    const deleting = target('T2', {}, { deletionTimestamp: 'now' });
    const deployment = deploymentOf([], [target('T1'), deleting]);
    const made = plan(planInput(deployment, world, { deletingTargets: new Set(['uid-T2']) }));
    expect(shown(made.steps)).toEqual(['T2 instance-[a,b]']);
    expect(made.guard?.code).toBe('EmptyDeployment');
  });

  it('needs no confirmation when nothing else is deployed', () => {
    const gone = deploymentOf(
      [component('a'), component('b')],
      [target('T1', {}, { deletionTimestamp: 'now' }), target('T2', {}, { deletionTimestamp: 'now' })],
    );
    const made = plan(planInput(gone, world, { deletingTargets: new Set(['uid-T1', 'uid-T2']) }));
    expect(made.guard).toBeUndefined();
    expect(made.steps.flatMap((step) => step.actions)).toHaveLength(4);
  });
});

describe('a missing provider', () => {
  const bare = target('T1', { topologies: [] });

  it('removes nothing of what is deployed there and wanted there', () => {
    const made = plan(planInput(deploymentOf([component('a'), component('b')], [bare, target('T2')]), world));
    expect(made.steps).toEqual([]);
    expect(told(made).toSorted()).toEqual([
      'keep a@T1 RoleNotOffered',
      'keep a@T2 UpToDate',
      'keep b@T1 RoleNotOffered',
      'keep b@T2 UpToDate',
    ]);
  });

  it('is shown where nothing is deployed', () => {
    const made = plan(planInput(deploymentOf([component('a')], [bare]), { ledger: [], real: new Map() }));
    expect(told(made)).toEqual(['keep a@T1 RoleNotOffered']);
  });
});

it('a solution that is gone gives no deployment at all, unless everything is to be removed', () => {
  const instance = stored('Instance', 'i', { solution: 's', target: { name: '*' } });
  const input = { instance, solution: undefined, targets, jobId: '1' };
  expect(() => generateForInstance(input)).toThrow(DeploymentError);
  const deleting = { ...instance, deletionTimestamp: 'now' };
  const made = plan(planInput(generateForInstance({ ...input, instance: deleting }), world));
  expect(made.steps.flatMap((step) => step.actions)).toHaveLength(4);
});
