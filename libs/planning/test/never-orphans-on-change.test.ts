import { describe, expect, it } from 'vitest';
import { plan } from '../src/index.js';
import {
  binding,
  carryOut,
  component,
  deployed,
  deploymentOf,
  on,
  only,
  planInput,
  shown,
  target,
  told,
  unreadable,
} from './support.js';

const both = [target('T1'), target('T2')];
const onT1 = { target: { name: 'T1' } };
const onT2 = { target: { name: 'T2' } };

describe('a component that moves to another target', () => {
  const world = deployed(deploymentOf([component('a')], both, onT1));

  it('is created there before it is removed here', () => {
    const { steps } = plan(planInput(deploymentOf([component('a')], both, onT2), world));
    expect(told({ steps, kept: [] })).toEqual([
      'create a@T2 NotDeployed',
      'delete a@T1 TargetNoLongerMatches',
    ]);
    const [create, remove] = steps.flatMap((step) => step.actions);
    expect(remove?.requires).toEqual([create?.id]);
  });

  it('stays where it is while it cannot be created there', () => {
    const input = planInput(deploymentOf([component('a')], both, onT2), world);
    expect(told(plan(unreadable(input, 'uid-T2')))).toEqual([
      'keep a@T2 ObservationFailed',
      'keep a@T1 DependencyFailed',
    ]);
  });

  it('is removed although one of several new places fails, once it runs in another', () => {
    const three = [...both, target('T3')];
    const before = deployed(deploymentOf([component('a')], three, { target: { name: 'T1' } }));
    const after = deployed(deploymentOf([component('a')], [target('T2')]), before);
    const deployment = deploymentOf([component('a')], [target('T2'), target('T3')]);
    const input = planInput(deployment, { ledger: [...before.ledger, ...after.ledger], real: after.real });
    expect(told(plan(unreadable(input, 'uid-T3')))).toContain('delete a@T1 TargetNoLongerMatches');
  });

  it('leaves a target that is being deleted in the same way', () => {
    const deleting = [target('T1', {}, { deletionTimestamp: 'now' }), target('T2')];
    const { steps } = plan(
      planInput(deploymentOf([component('a')], deleting), world, { deletingTargets: new Set(['uid-T1']) }),
    );
    expect(told({ steps, kept: [] })).toEqual(['create a@T2 NotDeployed', 'delete a@T1 TargetDeleting']);
  });
});

describe('a component whose provider changes on its target', () => {
  const world = deployed(deploymentOf([component('a', 'helm'), component('b', 'x', ['a'])], [target('T1')]));

  it.each([
    ['by its type', deploymentOf([component('a', 'docker'), component('b', 'x', ['a'])], [target('T1')])],
    [
      'by the configuration of the binding',
      deploymentOf(
        [component('a', 'helm'), component('b', 'x', ['a'])],
        [target('T1', { topologies: [{ bindings: [binding('helm', { kube: 'other' }), binding('x')] }] })],
      ),
    ],
    [
      'by the scope',
      deploymentOf([component('a', 'helm'), component('b', 'x', ['a'])], [target('T1')], { scope: 'other' }),
    ],
  ])('is removed with the old one before it is created with the new one: %s', (_how, deployment) => {
    const input = planInput(deployment, world);
    const made = plan(input);
    const actions = made.steps.flatMap((step) => step.actions);
    const create = actions.find((action) => action.kind === 'create' && action.component === 'a');
    const remove = actions.find((action) => action.kind === 'delete' && action.component === 'a');
    expect(remove?.reason.code).toBe('ProviderChanged');
    expect(create?.requires).toContain(remove?.id);
    const after = carryOut(input, made, world);
    expect(after.ledger.map((entry) => entry.component).toSorted()).toEqual(['a', 'b']);
    expect(told(plan(planInput(deployment, after)))).toEqual(['keep a@T1 UpToDate', 'keep b@T1 UpToDate']);
  });

  it('keeps the old one while the new one cannot be created', () => {
    const deployment = deploymentOf([component('a', 'docker')], [target('T1')]);
    const made = plan(unreadable(planInput(deployment, world), 'uid-T1'));
    expect(told(made)).toContain('keep a@T1 DependencyFailed');
    expect(shown(made.steps)).toEqual(['T1 x-[b]']);
  });

  it('keeps the new one waiting while the old one cannot be removed', () => {
    const anew = target('T1', {}, { uid: 'another' });
    const deployment = deploymentOf([component('a', 'helm')], [anew]);
    const unavailable = new Map([['uid-T1', { code: 'TargetUnavailable' as const, message: '' }]]);
    expect(told(plan(planInput(deployment, world, { unavailable })))).toEqual([
      'keep a@T1 DependencyFailed',
      'keep a@T1 TargetUnavailable',
      'keep b@T1 TargetUnavailable',
    ]);
  });
});

it('a component that moves because its constraint does is created before it is removed', () => {
  const world = deployed(deploymentOf([only('a')], [target('T1', { properties: on('a') }), target('T2')]));
  const moved = deploymentOf([only('a')], [target('T1'), target('T2', { properties: on('a') })]);
  expect(told(plan(planInput(moved, world)))).toEqual([
    'create a@T2 NotDeployed',
    'delete a@T1 TargetNoLongerMatches',
  ]);
});

it('a target of the same name that was made anew is emptied before it is filled', () => {
  const world = deployed(deploymentOf([component('a')], [target('T1')]));
  const { steps } = plan(
    planInput(deploymentOf([component('a')], [target('T1', {}, { uid: 'another' })]), world),
  );
  expect(shown(steps)).toEqual(['T1 instance-[a]', 'T1 instance[a]']);
  expect(steps[1]?.after).toEqual(['s1']);
});

it('a component that is dropped goes after what is applied on its target', () => {
  const world = deployed(deploymentOf([component('a'), component('b')], [target('T1')]));
  const { steps } = plan(
    planInput(deploymentOf([component('a', '', [], { properties: { v: 2 } })], [target('T1')]), world),
  );
  expect(shown(steps)).toEqual(['T1 instance[a]', 'T1 instance-[b]']);
  expect(steps[1]?.after).toEqual(['s1']);
});

it('what only one target of a posted deployment concerns leaves the others alone', () => {
  const world = deployed(deploymentOf([component('a')], both));
  const deployment = { ...deploymentOf([component('a')], [target('T2')]), onlyTarget: 'T2' };
  expect(told(plan(planInput(deployment, world)))).toEqual(['keep a@T2 UpToDate']);
});

it('a move and a change of provider that would wait for each other in a circle are both carried out', () => {
  const places = [target('T1', { properties: on('x', 'y') }), target('T2')];
  const world = deployed(deploymentOf([only('y', 'helm'), only('x', '', ['y'])], places));
  const moved = [target('T1', { properties: on('y') }), target('T2', { properties: on('x') })];
  // The old y would go after the x that relied on it, which goes after the new x, which needs the new y.
  const deployment = deploymentOf([only('y', 'docker'), only('x', '', ['y'])], moved);
  const input = planInput(deployment, world);
  const made = plan(input);
  expect(shown(made.steps)).toEqual(['T1 helm-[y]', 'T1 docker[y]', 'T2 instance[x]', 'T1 instance-[x]']);
  carryOut(input, made, world);
});

it('what was deployed in two scopes is removed from each of them', () => {
  const world = deployed(deploymentOf([component('a'), component('b')], [target('T1')]));
  const ledger = world.ledger.map((entry) =>
    entry.component === 'b' ? { ...entry, scope: 'other' } : entry,
  );
  const removal = deploymentOf([], [], {}, { deletionTimestamp: 'now' });
  const { steps } = plan(planInput(removal, { ...world, ledger }));
  expect(
    steps.map((step) => `${step.scope} ${step.actions.map((action) => action.component).join()}`),
  ).toEqual(['default a', 'other b']);
});
