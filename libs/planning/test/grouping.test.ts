import { describe, expect, it } from 'vitest';
import { plan } from '../src/index.js';
import {
  component,
  deployed,
  deploymentOf,
  emptyWorld,
  on,
  only,
  planInput,
  shown,
  target,
} from './support.js';
import type { ComponentSpec } from '@symphony/model';

function stepsOn(targets: ReturnType<typeof target>[], components: ComponentSpec[]): string[] {
  return shown(plan(planInput(deploymentOf(components, targets), emptyWorld())).steps);
}

describe('steps', () => {
  const T1 = [target('T1')];

  it.each([
    {
      says: 'untyped components share a step with those of type instance',
      components: [component('a', 'helm'), component('b'), component('c', 'instance')],
      steps: ['T1 helm[a]', 'T1 instance[b,c]'],
    },
    {
      says: 'components of one role share a step',
      components: [component('a', 'helm'), component('b', 'kubectl'), component('c', 'helm')],
      steps: ['T1 helm[a,c]', 'T1 kubectl[b]'],
    },
    {
      says: 'a dependency on another role opens a new step',
      components: [component('a', 'helm'), component('b', 'kubectl'), component('c', 'helm', ['b'])],
      steps: ['T1 helm[a]', 'T1 kubectl[b]', 'T1 helm[c]'],
    },
    {
      says: 'a dependency that is in an earlier step does not',
      components: [
        component('a', 'helm'),
        component('b', 'docker', ['a']),
        component('c', 'helm'),
        component('d', 'docker', ['c']),
      ],
      steps: ['T1 helm[a,c]', 'T1 docker[b,d]'],
    },
    {
      says: 'roles that alternate along the dependencies get a step each',
      components: [
        component('a', 'helm'),
        component('b', 'docker', ['a']),
        component('c', 'helm', ['b']),
        component('d', 'docker', ['c']),
      ],
      steps: ['T1 helm[a]', 'T1 docker[b]', 'T1 helm[c]', 'T1 docker[d]'],
    },
    {
      says: 'a dependency of the same role shares the step, in order',
      components: [component('b', 'x', ['a']), component('a', 'x')],
      steps: ['T1 x[a,b]'],
    },
  ])('$says', ({ components, steps }) => {
    expect(stepsOn(T1, components)).toEqual(steps);
  });

  it('follow dependencies from target to target', () => {
    const targets = [
      target('T1', { properties: on('b', 'd') }),
      target('T2', { properties: on('b', 'c') }),
      target('T3', { properties: on('a', 'c', 'd') }),
    ];
    const components = [
      only('a'),
      only('b', 'helm', ['a']),
      only('c', 'helm', ['b']),
      only('d', 'kubectl', ['b', 'c']),
    ];
    expect(stepsOn(targets, components)).toEqual([
      'T3 instance[a]',
      'T1 helm[b]',
      'T2 helm[b,c]',
      'T3 helm[c]',
      'T1 kubectl[d]',
      'T3 kubectl[d]',
    ]);
  });

  it('remove dependents before what they depend on', () => {
    const components = [
      component('a', 'x'),
      component('b', 'x', ['a']),
      component('c', 'x'),
      component('d', 'x'),
    ];
    const world = deployed(deploymentOf(components, T1));
    const removal = deploymentOf(components, T1, {}, { deletionTimestamp: 'now' });
    expect(shown(plan(planInput(removal, world)).steps)).toEqual(['T1 x-[b,a,c,d]']);
  });

  it('create on the new target before they remove from the old one', () => {
    const targets = [target('T1'), target('T2')];
    const world = deployed(deploymentOf([component('a')], targets, { target: { name: 'T1' } }));
    const moved = deploymentOf([component('a')], targets, { target: { name: 'T2' } });
    expect(shown(plan(planInput(moved, world)).steps)).toEqual(['T2 instance[a]', 'T1 instance-[a]']);
  });

  it('mark the first one of each role on a target, and the others come after it', () => {
    const components = [component('a', 'helm'), component('b', 'kubectl'), component('c', 'helm', ['b'])];
    const { steps } = plan(planInput(deploymentOf(components, T1), emptyWorld()));
    expect(steps.map((step) => step.isFirst)).toEqual([true, true, false]);
    expect(steps[2]?.after.toSorted()).toEqual(['s1', 's2']);
  });

  it('of unlinked targets do not wait for each other', () => {
    const { steps } = plan(
      planInput(
        deploymentOf([component('a'), component('b', 'helm', ['a'])], [target('T1'), target('T2')]),
        emptyWorld(),
      ),
    );
    expect(shown(steps)).toEqual(['T1 instance[a]', 'T2 instance[a]', 'T1 helm[b]', 'T2 helm[b]']);
    expect(steps.map((step) => step.after)).toEqual([[], [], ['s1'], ['s2']]);
  });
});
