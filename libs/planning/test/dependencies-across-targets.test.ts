import { reason } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { blockedBy, plan, runnableActions } from '../src/index.js';
import {
  changed,
  component,
  deployed,
  deploymentOf,
  emptyWorld,
  on,
  only,
  planInput,
  shown,
  target,
  told,
  unreadable,
} from './support.js';
import type { Action, Plan } from '@symphony/model';

function actionOf(made: Plan, name: string, where: string): Action {
  const found = made.steps
    .flatMap((step) => step.actions)
    .find((action) => action.component === name && action.target === where);
  if (!found) throw new Error(`no action for ${name} on ${where}`);
  return found;
}

describe('what b, which depends on a, waits for', () => {
  const ab = [only('a'), only('b', 'helm', ['a'])];

  it('is a on the same target only, where that target has it', () => {
    const targets = [target('T1', { properties: on('a', 'b') }), target('T2', { properties: on('a') })];
    const made = plan(planInput(deploymentOf(ab, targets), emptyWorld()));
    expect(actionOf(made, 'b', 'T1').requires).toEqual([actionOf(made, 'a', 'T1').id]);
  });

  it('is a on every target that has it, where its own has none', () => {
    const targets = ['T1', 'T2'].map((name) => target(name, { properties: on('a') }));
    targets.push(target('T3', { properties: on('b') }));
    const made = plan(planInput(deploymentOf(ab, targets), emptyWorld()));
    expect(actionOf(made, 'b', 'T3').requires).toEqual(
      ['T1', 'T2'].map((name) => actionOf(made, 'a', name).id),
    );
  });

  it('is nothing where a is nowhere, or is there already', () => {
    const alone = [target('T3', { properties: on('b') })];
    expect(actionOf(plan(planInput(deploymentOf(ab, alone), emptyWorld())), 'b', 'T3').requires).toEqual([]);
    const targets = [target('T1', { properties: on('a') }), ...alone];
    const world = deployed(deploymentOf([only('a')], targets));
    expect(actionOf(plan(planInput(deploymentOf(ab, targets), world)), 'b', 'T3').requires).toEqual([]);
  });

  it('keeps it waiting while a is unknown, and so on down the line', () => {
    const targets = [target('T1', { properties: on('a') }), target('T2', { properties: on('b', 'c') })];
    const abc = [...ab, only('c', '', ['b'])];
    const made = plan(unreadable(planInput(deploymentOf(abc, targets), emptyWorld()), 'uid-T1'));
    expect(made.steps).toEqual([]);
    expect(told(made)).toEqual([
      'keep a@T1 ObservationFailed',
      'keep b@T2 DependencyFailed',
      'keep c@T2 DependencyFailed',
    ]);
    expect(made.kept[1]?.reason.message).toContain('"a" on target "T1"');
  });

  it('keeps it waiting while a has no provider', () => {
    const targets = [
      target('T1', { properties: on('a'), topologies: [] }),
      target('T2', { properties: on('b') }),
    ];
    const made = plan(planInput(deploymentOf(ab, targets), emptyWorld()));
    expect(told(made)).toEqual(['keep b@T2 DependencyFailed', 'keep a@T1 RoleNotOffered']);
  });
});

describe('removal', () => {
  const targets = [
    target('T1', { properties: on('a') }),
    target('T2', { properties: on('a', 'b') }),
    target('T3', { properties: on('b') }),
  ];
  const world = deployed(deploymentOf([only('a'), only('b', '', ['a'])], targets));

  it('mirrors the order, also when nothing is declared any more', () => {
    const removal = deploymentOf([], [], {}, { deletionTimestamp: 'now' });
    const made = plan(planInput(removal, world));
    expect(actionOf(made, 'a', 'T2').requires.toSorted()).toEqual(
      ['T2', 'T3'].map((name) => actionOf(made, 'b', name).id),
    );
    expect(actionOf(made, 'a', 'T1').requires).toEqual([actionOf(made, 'b', 'T3').id]);
  });

  it('leaves what something still relies on that cannot be removed', () => {
    const removal = deploymentOf([], [], {}, { deletionTimestamp: 'now' });
    const made = plan(
      planInput(removal, world, { unavailable: new Map([['uid-T3', reason('TargetUnavailable')]]) }),
    );
    expect(shown(made.steps)).toEqual(['T2 instance-[b]']);
    expect(told({ steps: [], kept: made.kept })).toEqual([
      'keep a@T1 DependencyFailed',
      'keep a@T2 DependencyFailed',
      'keep b@T3 TargetUnavailable',
    ]);
  });

  it('cuts a circle that was recorded over several generations', () => {
    const circular = {
      ...world,
      ledger: world.ledger.map((entry) =>
        entry.component === 'a'
          ? { ...entry, applied: changed(entry.applied, { dependencies: ['b'] }) }
          : entry,
      ),
    };
    const removal = deploymentOf([], [], {}, { deletionTimestamp: 'now' });
    expect(plan(planInput(removal, circular)).steps.flatMap((step) => step.actions)).toHaveLength(4);
  });

  it('of a dependency waits for the dependent, elsewhere, to be updated without it', () => {
    const apart = [target('T1', { properties: on('a') }), target('T3', { properties: on('b') })];
    const before = deployed(deploymentOf([only('a'), only('b', '', ['a'])], apart));
    const made = plan(planInput(deploymentOf([only('b')], apart), before));
    expect(actionOf(made, 'a', 'T1').follows).toEqual([actionOf(made, 'b', 'T3').id]);
  });
});

describe('for the executor', () => {
  const made = plan(
    planInput(
      deploymentOf(
        [component('a'), component('b', '', ['a']), component('c', 'helm', ['b'])],
        [target('T1')],
      ),
      emptyWorld(),
    ),
  );
  const [first, second] = made.steps;

  it('an action is blocked by the first requirement that did not succeed', () => {
    const c = actionOf(made, 'c', 'T1');
    const b = actionOf(made, 'b', 'T1').id;
    expect(blockedBy(c, new Map([[b, 'ok']]))).toBeUndefined();
    for (const outcome of ['failed', 'blocked', 'unknown'] as const) {
      expect(blockedBy(c, new Map([[b, outcome]]))).toBe(b);
    }
    expect(blockedBy(c, new Map())).toBe(b);
  });

  it('requirements within the step are met by their order', () => {
    if (!first || !second) throw new Error('two steps expected');
    expect(runnableActions(first, new Map()).run.map((action) => action.component)).toEqual(['a', 'b']);
    expect(runnableActions(second, new Map()).blocked.map(({ by }) => by)).toEqual([
      actionOf(made, 'b', 'T1').id,
    ]);
  });
});
