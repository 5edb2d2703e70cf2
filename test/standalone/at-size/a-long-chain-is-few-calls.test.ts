import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ComponentSpec } from '@symphony/model';
import { mockControl } from '../../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../../support/engine.js';

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
});
afterAll(() => engine.stop());

/** Each depends on the one before it. */
function chain(length: number): ComponentSpec[] {
  return Array.from({ length }, (_, i) => ({
    name: `c${i}`,
    properties: { rev: '1' },
    ...(i > 0 ? { dependencies: [`c${i - 1}`] } : {}),
  }));
}

it.each([
  // A hundred at a time, so that a call which is cut short leaves little unknown.
  ['a thousand in ten calls, where the provider keeps the order', 1_000, 'true', 10],
  ['a hundred in a hundred calls, where it does not', 100, 'false', 100],
])('components that depend on each other: %s', async (_what, length, keepsOrder, calls) => {
  const name = `chain-${keepsOrder}`;
  const mock = mockControl(name);
  const worked = (action: string): string[] =>
    mock.calls.filter((call) => call.action === action).flatMap((call) => call.worked ?? []);
  const inOrder = chain(length).map((component) => component.name);

  await engine.target(name, { topologies: mockTopology(name, { keepsOrder }) });
  await engine.solution(name, chain(length).toReversed());
  await engine.instance(name, { solution: name, target: { name } });
  await engine.settled('instances', name);
  expect(worked('update')).toEqual(inOrder);
  expect(mock.calls.filter((call) => call.action === 'update')).toHaveLength(calls);

  await engine.ok('DELETE', `/instances/${name}`);
  await engine.gone('instances', name);
  expect(worked('delete')).toEqual(inOrder.toReversed());
  expect(mock.calls.filter((call) => call.action === 'delete')).toHaveLength(calls);
});
