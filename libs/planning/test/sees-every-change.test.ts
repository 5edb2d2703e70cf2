import type { LedgerEntry, LedgerState } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { plan } from '../src/index.js';
import { component, deployed, deploymentOf, planInput, target, told } from './support.js';

const targets = [target('T1')];
const v1 = component('a', '', [], { properties: { image: 'v1' } });
const v2 = component('a', '', [], { properties: { image: 'v2' } });
const world = deployed(deploymentOf([v1], targets));

function first(made: ReturnType<typeof plan>) {
  return made.steps[0]?.actions[0];
}

function withState(state: LedgerState): LedgerEntry[] {
  return world.ledger.map((entry) => ({ ...entry, state }));
}

describe('an applied component', () => {
  it('is updated when its declaration changed, also by a provider that compares nothing', () => {
    const action = first(plan(planInput(deploymentOf([v2], targets), world, { differs: () => [] })));
    expect(action).toMatchObject({
      kind: 'update',
      reason: { code: 'SpecChanged' },
      diff: [{ path: 'properties.image', before: 'v1', after: 'v2' }],
    });
  });

  it('is updated when a value changed that it refers to', () => {
    const input = planInput(deploymentOf([v1], targets), world);
    const resolved = input.resolved.map((item) => ({ ...item, digest: 'another' }));
    expect(first(plan({ ...input, resolved }))).toMatchObject({
      kind: 'update',
      reason: { code: 'ValueChanged' },
    });
  });

  it('is created again when it is missing', () => {
    const made = plan(planInput(deploymentOf([v1], targets), { ...world, real: new Map() }));
    expect(told(made)).toEqual(['create a@T1 Missing']);
  });

  it('is updated when the target reports something else', () => {
    const drifted = new Map([...world.real].map(([key]) => [key, v2]));
    const action = first(plan(planInput(deploymentOf([v1], targets), { ...world, real: drifted })));
    expect(action).toMatchObject({
      kind: 'update',
      reason: { code: 'Drifted' },
      diff: [{ before: 'v2', after: 'v1' }],
    });
  });

  it('is updated when the target asks for it', () => {
    const forced = planInput(deploymentOf([v1], targets), world, { forceRedeploy: new Set(['uid-T1']) });
    expect(told(plan(forced))).toEqual(['update a@T1 ForceRedeploy']);
  });

  it('is kept when nothing changed', () => {
    expect(told(plan(planInput(deploymentOf([v1], targets), world)))).toEqual(['keep a@T1 UpToDate']);
  });
});

describe('what was interrupted', () => {
  it.each(['intent', 'removing'] as const)('in state %s is brought to its end', (state) => {
    const unfinished = { ...world, ledger: withState(state) };
    expect(told(plan(planInput(deploymentOf([v1], targets), unfinished)))).toEqual([
      'update a@T1 Unfinished',
    ]);
    const unseen = { ...unfinished, real: new Map() };
    expect(told(plan(planInput(deploymentOf([v1], targets), unseen)))).toEqual(['create a@T1 Unfinished']);
    const other = deploymentOf([component('b')], targets);
    expect(told(plan(planInput(other, unseen)))).toContain('delete a@T1 Removed');
  });
});
