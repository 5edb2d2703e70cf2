import { AccessError } from '@symphony/model';
import { expect, onTestFinished, test } from 'vitest';
import type { LaneOrder } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import type { KnownPosted } from '../lanes/index.js';
import type { LedgerObject } from '../ledger/ledger-object.js';
import type { Change } from '../reflector/index.js';
import { PostedLanes } from './posted-lanes.js';
import { ownerUidOf, POSTED_TYPE, postedAgain, type PostedObject } from './posted-object.js';
import type { PostedRecords } from './posted-records.js';

const HERE = 'here';
const THERE = 'there';

function posted(namespace: string, name: string): PostedObject {
  const order = {
    kind: 'Instance',
    namespace,
    name,
    generation: 1,
    action: 'update',
    cause: 'person',
  } as const;
  const { metadata, spec } = postedAgain(
    undefined,
    { ...order, payload: { deployment: {}, jobId: '1' } },
    '{}',
  );
  return { metadata: { ...metadata, namespace, uid: `${namespace}/${name}`, resourceVersion: '1' }, spec };
}

/** A record that has run long ago and left nothing behind. */
function done(namespace: string): PostedObject {
  const { metadata, spec } = posted(namespace, 'done');
  const { deployment: _done, ...rest } = spec;
  const last = { result: 'succeeded', reason: 'Succeeded', endedAt: '2020-01-01T00:00:00Z' };
  return { metadata, spec: { ...rest, doneSeq: spec.seq, last } };
}

/** What was deployed for a posted deployment, on its way out with its namespace. */
function going(namespace: string, name: string): LedgerObject {
  const owner = { kind: 'Inline', namespace, name, uid: ownerUidOf({ namespace, name }) };
  return { metadata: { name, namespace, deletionTimestamp: 'now' }, spec: { owner } } as LedgerObject;
}

test('a namespace that may not be read holds no other up, and nothing in it is decided until it is read', async () => {
  const places = [HERE, THERE];
  const records = places.flatMap((namespace) => [posted(namespace, 'shop'), done(namespace)]);
  const refused = new Set([THERE]);
  const handlers: ((change: Change<PostedObject>) => void)[] = [];
  const given: string[] = [];
  const warnings: object[] = [];
  const lanes = new PostedLanes({
    client: {
      list: (_type: unknown, { namespace = '' }: { namespace?: string }) =>
        refused.has(namespace)
          ? Promise.reject(new AccessError(403, 'no rights'))
          : Promise.resolve({ items: records.filter(({ metadata }) => metadata.namespace === namespace) }),
    } as unknown as ApiClient,
    namespaces: places,
    inReach: () => true,
    records: {
      letGo: ({ metadata }: PostedObject) => {
        given.push(`let ${metadata.namespace} go`);
        return Promise.reject(new Error('somebody has posted'));
      },
    } as unknown as PostedRecords,
    cache: {
      get: ({ namespace, name }) =>
        records.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      list: () => records,
      seen: () => undefined,
      onChange: (handler) => {
        handlers.push(handler);
        return () => undefined;
      },
    },
    ledgers: {
      byIndex: () => [],
      // Of `shop` there is a record, and of `stray` there is none.
      list: () => places.flatMap((namespace) => [going(namespace, 'shop'), going(namespace, 'stray')]),
    },
    lanes: () => ({
      leading: true,
      recallPosted: ({ namespace, name }: KnownPosted) => void given.push(`recall ${namespace} ${name}`),
      takePosted: ({ action, namespace, name }: LaneOrder) =>
        void given.push(`${action} ${namespace} ${name}`),
      forgetPosted: () => undefined,
    }),
    instances: { get: () => undefined, onChange: () => () => undefined },
    finished: () => undefined,
    log: { warn: (fields) => warnings.push(fields) },
  });
  lanes.start();
  onTestFinished(() => lanes.stop());
  lanes.begin();
  await lanes.whenRead();
  const all = (namespace: string): string[] => [
    `recall ${namespace} shop`,
    `recall ${namespace} done`,
    `delete ${namespace} stray`,
    `let ${namespace} go`,
  ];
  expect(given).toEqual(all(HERE));
  await expect.poll(() => warnings).toMatchObject([{ namespace: THERE, error: 'no rights' }]);

  // Not by the watch either: it would be carried out before it is known what has run.
  const after = posted(THERE, 'new');
  const { name, uid = '' } = after.metadata;
  const key = { kind: POSTED_TYPE.kind, namespace: THERE, name, uid };
  for (const handler of handlers) handler({ key, before: undefined, after });
  expect(given).toEqual(all(HERE));

  refused.clear();
  await expect.poll(() => given, { timeout: 30_000 }).toEqual([...all(HERE), ...all(THERE)]);
  for (const handler of handlers) handler({ key, before: undefined, after });
  expect(given.at(-1)).toBe('update there new');
});
