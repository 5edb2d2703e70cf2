import { NotFoundError } from '@symphony/model';
import { expect, it } from 'vitest';
import { KubernetesDesiredState } from './kubernetes-desired-state.js';
import type { CustomObject } from '../objects/custom-object.js';

const instance: CustomObject = {
  metadata: { name: 'shop', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1 },
  spec: { solution: 's', target: { name: 't' } },
};

it('only a run that reads an object carries out the orders on it, and no look at its plan', async () => {
  const read: CustomObject[] = [];
  type Sources = ConstructorParameters<typeof KubernetesDesiredState>[0];
  const sources: Partial<Sources> = {
    client: {
      get: (_type: unknown, { name }: { name: string }) => found(name),
    } as unknown as Sources['client'],
    seen: () => undefined,
    ledger: { entriesOf: () => Promise.resolve([]) },
    attach: () => Promise.resolve(),
    unhealthy: () => [],
    onRead: (object) => void read.push(object),
  };
  const state = new KubernetesDesiredState(sources as Sources);
  const key = { kind: 'Instance', namespace: 'n', name: 'shop' } as const;
  await state.read(key);
  expect(read).toEqual([]);
  await state.read({ ...key, fence: { laneId: '1', epoch: 1 } });
  expect(read).toEqual([instance]);
});

/** Nothing but the instance is there. */
function found(name: string): Promise<CustomObject> {
  if (name === 'shop') return Promise.resolve(instance);
  return Promise.reject(new NotFoundError('it is not there'));
}
