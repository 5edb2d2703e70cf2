import { expect, onTestFinished, test } from 'vitest';
import type { LaneKey, LaneOrder } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import type { KnownPosted } from '../lanes/index.js';
import type { Change } from '../reflector/index.js';
import { PostedLanes } from './posted-lanes.js';
import { POSTED_TYPE, postedAgain, type PostedObject } from './posted-object.js';
import type { PostedRecords } from './posted-records.js';

const KEY = { kind: 'Instance', namespace: 'n', name: 'shop' } as const;

function posted(jobId: string, before?: PostedObject): PostedObject {
  const order = { ...KEY, generation: 1, action: 'update', cause: 'person' } as const;
  const { metadata, spec } = postedAgain(before, { ...order, payload: { deployment: {}, jobId } }, '{}');
  return { metadata: { ...metadata, uid: 'u', resourceVersion: String(spec.seq) }, spec };
}

/** The lanes of a leader's posted deployments, made of these records, and its picture of them. */
async function leader(...records: PostedObject[]) {
  const handlers: ((change: Change<PostedObject>) => void)[] = [];
  const picture = new Map(records.map((record) => [record.metadata.name, record]));
  const tell = (before: PostedObject | undefined, after: PostedObject | undefined): void => {
    const { name = '', namespace = '', uid = '' } = (after ?? before)?.metadata ?? {};
    if (after) picture.set(name, after);
    else picture.delete(name);
    const key = { kind: POSTED_TYPE.kind, uid, namespace, name };
    for (const handler of handlers) handler({ key, before, after });
  };
  const given: string[] = [];
  const lanes = new PostedLanes({
    client: { list: () => Promise.resolve({ items: records }) } as unknown as ApiClient,
    namespaces: undefined,
    inReach: () => true,
    records: {} as PostedRecords,
    cache: {
      get: ({ name }) => picture.get(name),
      list: () => [...picture.values()],
      seen: () => undefined,
      onChange: (handler) => {
        handlers.push(handler);
        return () => undefined;
      },
    },
    ledgers: { byIndex: () => [], list: () => [] },
    lanes: () => ({
      leading: true,
      recallPosted: ({ name }: KnownPosted) => void given.push(`recall ${name}`),
      takePosted: ({ name, payload }: LaneOrder) => void given.push(`take ${name} ${payload?.jobId}`),
      forgetPosted: ({ name }: LaneKey) => void given.push(`forget ${name}`),
    }),
    instances: { get: () => undefined, onChange: () => () => undefined },
    finished: () => undefined,
    log: { warn: () => undefined },
  });
  lanes.start();
  onTestFinished(() => lanes.stop());
  lanes.begin();
  await lanes.whenRead();
  return { given, tell };
}

test('what was posted runs also when its record was missing for a moment', async () => {
  const { given, tell } = await leader();
  const record = posted('1');
  tell(undefined, record);
  // As after a list by a server that had not heard of it yet: the run is fenced, and the lane gone.
  tell(record, undefined);
  tell(undefined, record);
  expect(given).toEqual(['take shop 1', 'forget shop', 'take shop 1']);
});

test('so does what was posted before the term began', async () => {
  const record = posted('1');
  const { given, tell } = await leader(record);
  tell(record, undefined);
  tell(undefined, record);
  expect(given).toEqual(['recall shop', 'forget shop', 'take shop 1']);
});

test('a record that only changes is not taken again, and a newer post of it is', async () => {
  const record = posted('1');
  const { given, tell } = await leader(record);
  tell(undefined, record);
  const newer = posted('2', record);
  tell(record, newer);
  tell(newer, { ...newer });
  expect(given).toEqual(['recall shop', 'take shop 2']);
});
