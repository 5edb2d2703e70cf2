import { NotFoundError } from '@symphony/model';
import { expect, test } from 'vitest';
import type { ApiClient } from './api-client.js';
import type { KubeObject, ResourceType } from './kube-object.js';
import { SharedReads } from './shared-reads.js';

const THINGS: ResourceType = { group: 'g', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };

/** A server whose state is a number, and whose answers come when the test says so, with the state at their beginning. */
function server() {
  let state = 1;
  const pending: { answer: () => void; fail: (error: Error) => void }[] = [];
  const get = (_type: unknown, { name }: { name: string }): Promise<KubeObject> =>
    new Promise((resolve, reject) => {
      const object = { metadata: { name, resourceVersion: String(state) } };
      pending.push({ answer: () => resolve(object), fail: reject });
    });
  return {
    reads: new SharedReads({ get } as Pick<ApiClient, 'get'>),
    pending,
    write: () => (state += 1),
  };
}

const ref = { namespace: 'n', name: 'a' };
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('whoever asks while a read is under way gets one that begins after it, all of them the same', async () => {
  const { reads, pending, write } = server();
  const first = reads.get(THINGS, ref);
  write();
  const later = [reads.get(THINGS, ref), reads.get(THINGS, ref), reads.get(THINGS, ref)];
  expect(pending).toHaveLength(1);
  pending[0]?.answer();
  await settle();
  expect(pending).toHaveLength(2);
  // Asked while the second is under way: a third.
  write();
  const last = reads.get(THINGS, ref);
  pending[1]?.answer();
  await settle();
  expect(pending).toHaveLength(3);
  pending[2]?.answer();
  const versions = await Promise.all([first, ...later, last]);
  expect(versions.map(({ metadata }) => metadata.resourceVersion)).toEqual(['1', '2', '2', '2', '3']);
});

test('what fails fails for those who shared it, and the next read is a new one', async () => {
  const { reads, pending } = server();
  const first = reads.get(THINGS, ref);
  const second = reads.get(THINGS, ref);
  pending[0]?.fail(new NotFoundError('gone'));
  await expect(first).rejects.toThrow('gone');
  await settle();
  pending[1]?.answer();
  expect((await second).metadata.name).toBe('a');
  const third = reads.get(THINGS, ref);
  expect(pending).toHaveLength(3);
  pending[2]?.answer();
  await third;
});

test('objects of other names are read beside it', async () => {
  const { reads, pending } = server();
  const both = [reads.get(THINGS, ref), reads.get(THINGS, { ...ref, name: 'b' })];
  expect(pending).toHaveLength(2);
  for (const { answer } of pending) answer();
  expect((await Promise.all(both)).map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
});
