import { expect, test } from 'vitest';
import { FencedError } from '../../../modules/queue/index.js';
import type { ObjectRef } from '../client/index.js';
import type { CustomObject } from './custom-object.js';
import { FINALIZERS, Finalizers } from './finalizers.js';

const REF: ObjectRef = { namespace: 'n', name: 't' };

/** A target that is being deleted, in a cluster whose watch tells nothing: what is seen is what was written. */
class Cluster {
  stored: CustomObject | undefined;
  seen: CustomObject | undefined;
  readonly requests: string[] = [];

  constructor(finalizers: string[]) {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const metadata = { ...REF, uid: 'u', resourceVersion: '1', finalizers, deletionTimestamp };
    this.stored = this.seen = { metadata, spec: {} } as CustomObject;
  }

  get finalizers(): Finalizers {
    const get = (): Promise<never> => {
      this.requests.push('get');
      return Promise.resolve(this.stored as never);
    };
    const patch = (_type: unknown, _ref: unknown, change: object): Promise<never> => {
      this.requests.push('patch');
      const { metadata } = (change as { body: Pick<CustomObject, 'metadata'> }).body;
      const { stored } = this;
      if (stored) {
        this.stored = {
          ...stored,
          metadata: { ...stored.metadata, ...metadata, resourceVersion: '2' },
        };
      }
      return Promise.resolve(this.stored as never);
    };
    return new Finalizers({
      client: { get, patch },
      seen: () => this.seen,
      written: (_kind, object) => (this.seen = object),
    });
  }
}

test.each([[[]], [['example.com/foreign']]])(
  'what was let go is not held again before the watch tells of it, beside %j',
  async (others) => {
    const cluster = new Cluster([FINALIZERS.Target, ...others]);
    const { finalizers } = cluster;
    await finalizers.remove('Target', REF, 'u');
    await expect(finalizers.add('Target', REF, 'u')).rejects.toThrow(FencedError);
    expect(cluster.seen?.metadata.finalizers).toEqual(others);
    expect(cluster.requests).toEqual(['patch']);
  },
);

test('what is being deleted and is held is held: its removal goes on', async () => {
  const cluster = new Cluster([FINALIZERS.Target]);
  await cluster.finalizers.add('Target', REF, 'u');
  expect(cluster.requests).toEqual([]);
});
