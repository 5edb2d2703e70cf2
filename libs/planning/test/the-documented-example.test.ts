import { expect, it } from 'vitest';
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

const targets = [target('T1', { properties: { db: 'true' } }), target('T2')];
const db = component('db', 'helm', [], { constraints: "${{$property('db')}}" });
const web = component('web', 'docker', ['db']);
const proxy = component('proxy', 'docker', ['web']);
const before = deploymentOf([db, web, proxy, component('logs', 'helm')], targets);
const after = deploymentOf([db, web, component('logs', 'docker')], targets);

it('of the first run comes out as docs/planning.md shows it', () => {
  const { steps } = plan(planInput(before, emptyWorld()));
  expect(shown(steps)).toEqual([
    'T1 helm[db,logs]',
    'T2 helm[logs]',
    'T1 docker[web,proxy]',
    'T2 docker[web,proxy]',
  ]);
  expect(steps.map((step) => step.after)).toEqual([[], [], ['s1'], ['s1']]);
});

it('of a target that cannot be read comes out as docs/planning.md shows it', () => {
  expect(told(plan(unreadable(planInput(before, emptyWorld()), 'uid-T1')))).toEqual([
    'create logs@T2 NotDeployed',
    'keep db@T1 ObservationFailed',
    'keep logs@T1 ObservationFailed',
    'keep web@T1 ObservationFailed',
    'keep web@T2 DependencyFailed',
    'keep proxy@T1 ObservationFailed',
    'keep proxy@T2 DependencyFailed',
  ]);
});

it('of a change comes out as docs/planning.md shows it', () => {
  const { steps } = plan(planInput(after, deployed(before)));
  expect(shown(steps)).toEqual([
    'T1 helm-[logs]',
    'T1 docker[logs]',
    'T2 helm-[logs]',
    'T2 docker[logs]',
    'T1 docker-[proxy]',
    'T2 docker-[proxy]',
  ]);
  expect(steps.map((step) => step.after)).toEqual([[], ['s1'], [], ['s3'], ['s2'], ['s4']]);
});

it('of the removal comes out as docs/planning.md shows it', () => {
  const removal = deploymentOf([], [], {}, { deletionTimestamp: 'now' });
  const actions = plan(planInput(removal, deployed(before))).steps.flatMap((step) => step.actions);
  const waits = actions.find((action) => action.component === 'db')?.requires;
  expect(waits?.toSorted()).toEqual(['delete:T1/web', 'delete:T2/web']);
});
