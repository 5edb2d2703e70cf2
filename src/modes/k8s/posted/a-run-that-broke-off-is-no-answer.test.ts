import { ConflictError, reason, type SummarySpec } from '@symphony/model';
import { expect, test } from 'vitest';
import type { Claim, InlinePayload, LaneOrder, RunOutcome } from '../../../modules/queue/index.js';
import { orderOf, type PostedObject } from './posted-object.js';
import { PostedRecords } from './posted-records.js';

const KEY = { kind: 'Instance', namespace: 'n', name: 'shop' } as const;

/** The records over one stored one, which nobody else writes. */
function records() {
  let stored: PostedObject | undefined;
  const write = (object: PostedObject): Promise<PostedObject> =>
    Promise.resolve((stored = { ...object, metadata: { ...object.metadata, uid: 'u' } }));
  const posted = new PostedRecords({
    client: {
      // An instance of that name is asked for first, and there is none.
      get: ({ kind }: { kind: string }) => Promise.resolve(kind === 'Instance' ? undefined : stored),
      create: (_type: unknown, object: PostedObject) => write(object),
      replace: (_type: unknown, object: PostedObject) => write(object),
    } as never,
    cache: { get: () => stored, byUid: () => stored, seen: () => undefined },
    namespaces: undefined,
    ledger: { entriesOf: () => Promise.resolve([]), releaseOwner: () => Promise.resolve([]) },
    assertFence: () => undefined,
  });
  const post = (jobId: string): Promise<string> => {
    const order: LaneOrder & { payload: InlinePayload } = {
      ...KEY,
      generation: 1,
      action: 'update',
      cause: 'person',
      payload: { deployment: {}, jobId },
    };
    return posted.accept(order);
  };
  const end = async (outcome: Partial<RunOutcome>): Promise<void> => {
    if (!stored) throw new Error('nothing was posted');
    const claim = { ...orderOf(stored), fence: { laneId: '1', epoch: 1 }, attempts: 0 };
    const whole: RunOutcome = { result: 'retry', reason: reason('StoreUnavailable'), ...outcome };
    await posted.ended(claim as unknown as Claim, whole, new AbortController().signal);
  };
  return { posted, post, end, record: () => stored };
}

const summary = { key: 'shop', generation: '1', deploymentHash: '', summary: {} as SummarySpec };

test('a post has run once its run has left a summary, not when it broke off', async () => {
  const { posted, post, end, record } = records();
  const first = await post('1');
  await end({ result: 'succeeded', summary });
  expect(await posted.isDone(KEY, first)).toBe(true);
  const second = await post('2');
  await end({});
  expect(await posted.isDone(KEY, second)).toBe(false);
  // It is tried again, so what was posted is kept.
  expect(record()?.spec).toMatchObject({ deployment: '{}', doneSeq: 1, last: { result: 'retry' } });
  await end({ summary });
  expect(await posted.isDone(KEY, second)).toBe(true);
});

test('a post that an instance was stored over is answered as one that comes later', async () => {
  const { posted, post, end } = records();
  await post('1');
  await end({ result: 'succeeded', summary });
  const second = await post('2');
  await posted.superseded(KEY, new AbortController().signal);
  await expect(posted.isDone(KEY, second)).rejects.toThrow(ConflictError);
  await expect(posted.isDone(KEY, second)).rejects.toMatchObject({ code: 'StoredObjectExists' });
});
