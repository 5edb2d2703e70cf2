import { reason } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { plan } from '../src/index.js';
import {
  component,
  deployed,
  deploymentOf,
  emptyWorld,
  planInput,
  shown,
  target,
  told,
  unreadable,
} from './support.js';

const targets = [target('T1'), target('T2')];
const components = [component('a'), component('b', '', ['a'])];
const world = deployed(deploymentOf(components, targets));
const changed = [component('a', '', [], { properties: { v: 2 } }), component('b', '', ['a'])];

describe('a target that could not be read', () => {
  it('is left as it is, and the others converge', () => {
    const made = plan(unreadable(planInput(deploymentOf(changed, targets), world), 'uid-T1'));
    expect(shown(made.steps)).toEqual(['T2 instance[a]']);
    expect(made.kept.filter((action) => action.target === 'T1').map((action) => action.reason.code)).toEqual([
      'ObservationFailed',
      'ObservationFailed',
    ]);
  });

  it('gets nothing new', () => {
    const made = plan(unreadable(planInput(deploymentOf(components, targets), emptyWorld()), 'uid-T1'));
    expect(shown(made.steps)).toEqual(['T2 instance[a,b]']);
  });

  it('is rid of what is not declared any more: a removal needs no look', () => {
    const made = plan(unreadable(planInput(deploymentOf([component('a')], targets), world), 'uid-T1'));
    expect(shown(made.steps)).toEqual(['T1 instance-[b]', 'T2 instance-[b]']);
  });

  it('counts as unknown when nobody looked', () => {
    const made = plan(planInput(deploymentOf(components, targets), world, { observations: [] }));
    expect(made.steps).toEqual([]);
    expect(new Set(made.kept.map((action) => action.reason.code))).toEqual(new Set(['Unknown']));
  });

  it('counts as unreadable when one of two reports says so', () => {
    const input = planInput(deploymentOf(changed, [target('T1')]), world);
    const both = [...unreadable(input, 'uid-T1').observations, ...input.observations];
    expect(plan({ ...input, observations: both }).steps.filter((step) => step.phase === 'apply')).toEqual([]);
  });
});

it('a target whose breaker is open gets no call at all, removals included', () => {
  const unavailable = new Map([['uid-T1', reason('TargetUnavailable')]]);
  const made = plan(planInput(deploymentOf([component('a')], targets), world, { unavailable }));
  expect(shown(made.steps)).toEqual(['T2 instance-[b]']);
  const removal = deploymentOf(components, targets, {}, { deletionTimestamp: 'now' });
  const removed = plan(planInput(removal, world, { unavailable }));
  expect(shown(removed.steps)).toEqual(['T2 instance-[b,a]']);
  expect(told({ steps: [], kept: removed.kept })).toEqual([
    'keep a@T1 TargetUnavailable',
    'keep b@T1 TargetUnavailable',
  ]);
});

it('a comparison that throws makes its component wait, not the plan fail', () => {
  const input = planInput(deploymentOf(components, targets), world, {
    differs: (assignment) => {
      if (assignment.target === 'T1') throw new Error('a rule broke on hunter2');
      return [{ path: 'properties.v', before: 1, after: 2 }];
    },
  });
  const made = plan(input);
  expect(shown(made.steps)).toEqual(['T2 instance[a,b]']);
  expect(told({ steps: [], kept: made.kept })).toEqual([
    'keep a@T1 InternalError',
    'keep b@T1 InternalError',
  ]);
  expect(JSON.stringify(made)).not.toContain('hunter2');
});

it('an expression that fails for one component lets the others go on', () => {
  const input = planInput(
    deploymentOf([component('a'), component('b', '', ['a']), component('c')], targets),
    emptyWorld(),
  );
  const made = plan({
    ...input,
    resolved: input.resolved.filter((item) => !(item.component.name === 'a' && item.target === 'T1')),
    unresolved: [{ target: 'T1', component: 'a', reason: reason('ExpressionFailed', 'No such secret.') }],
  });
  expect(shown(made.steps)).toEqual(['T2 instance[a,c,b]', 'T1 instance[c]']);
  expect(told({ steps: [], kept: made.kept })).toEqual([
    'keep a@T1 ExpressionFailed',
    'keep b@T1 DependencyFailed',
  ]);
});
