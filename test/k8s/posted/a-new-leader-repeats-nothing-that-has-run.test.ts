import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { ApiClient } from '../../../src/modes/k8s/client/index.js';
import type { KnownPosted } from '../../../src/modes/k8s/lanes/index.js';
import {
  POSTED_TYPE,
  PostedLanes,
  PostedRecords,
  type PostedObject,
} from '../../../src/modes/k8s/posted/index.js';
import { Reflector } from '../../../src/modes/k8s/reflector/index.js';
import {
  FencedError,
  type Claim,
  type InlinePayload,
  type LaneKey,
  type LaneOrder,
  type RunOutcome,
} from '../../../src/modules/queue/index.js';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { clientAs } from '../client/api-client.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const POLL = { timeout: 30_000, interval: 20 };
const SUCCEEDED: RunOutcome = { result: 'succeeded', reason: { code: 'Succeeded', message: '' } };
const FAILED: RunOutcome = {
  result: 'retry',
  reason: { code: 'ProviderFailed', message: 'no' },
  // Without one it has broken off, and answers no post.
  summary: {
    key: 'fails',
    generation: '1',
    deploymentHash: '',
    summary: {
      targetCount: 1,
      successCount: 0,
      plannedDeployment: 1,
      currentDeployed: 0,
      skipped: false,
      isRemoval: false,
      allAssignedDeployed: false,
      removed: false,
    },
  },
};

/** Lanes that note what they are given. */
class NotedLanes {
  leading = true;
  readonly recalled: KnownPosted[] = [];
  readonly taken: (LaneOrder & { payload: InlinePayload })[] = [];
  readonly forgotten: LaneKey[] = [];

  recallPosted(posted: KnownPosted): void {
    this.recalled.push(posted);
  }
  takePosted(order: LaneOrder & { payload: InlinePayload }): void {
    this.taken.push(order);
  }
  forgetPosted(key: LaneKey): void {
    this.forgotten.push(key);
  }
}

describeKubernetes('posted deployments at the beginning of a term', (cluster) => {
  let client: ApiClient;

  beforeAll(() => installCustomResources(cluster()));
  beforeEach(() => {
    client = clientAs(cluster().admin);
  });

  /** One replica of the engine, as far as it has to do with posted deployments. */
  async function replica(namespace: string, timing: { keptMs?: number } = {}) {
    const log = { warn: () => undefined };
    const cache = new Reflector<PostedObject, 'summary'>({
      client,
      namespaces: [namespace],
      type: POSTED_TYPE,
      indexes: { summary: () => [] },
      log,
    });
    cache.start();
    await cache.whenSynced({ deadlineMs: 20_000 });
    const ledger = { entriesOf: () => Promise.resolve([]), releaseOwner: () => Promise.resolve([]) };
    const records = new PostedRecords({
      client,
      cache,
      namespaces: undefined,
      ledger,
      assertFence: () => undefined,
    });
    const lanes = new NotedLanes();
    const posted = new PostedLanes({
      client,
      namespaces: [namespace],
      inReach: () => true,
      records,
      cache,
      ledgers: { byIndex: () => [], list: () => [] },
      lanes: () => lanes,
      instances: { get: () => undefined, onChange: () => () => undefined },
      finished: () => undefined,
      log,
      timing,
    });
    posted.start();
    onTestFinished(async () => {
      posted.stop();
      await cache.stop();
    });
    return { cache, records, lanes, posted };
  }

  const order = (namespace: string, name: string, jobId: string) => ({
    kind: 'Instance' as const,
    namespace,
    name,
    generation: 1,
    action: 'update' as const,
    cause: 'person' as const,
    payload: { deployment: { jobId }, jobId },
  });
  /** Of the order that was accepted as number `seq`, in a term. */
  function claim(namespace: string, name: string, seq: number, term: number): Claim {
    const payload: InlinePayload & { seq: number } = { deployment: {}, jobId: '', seq };
    const fence = { laneId: '1', epoch: term * 2 ** 31 + 1 };
    const { payload: _posted, ...key } = order(namespace, name, '');
    const at = new Date().toISOString();
    return { ...key, fence, seq: '1', attempts: 0, payload, orderedAt: at, claimedAt: at };
  }
  const signal = AbortSignal.timeout(300_000);

  test('what ran while its cache stood still has run; what was posted meanwhile is taken', async () => {
    const namespace = await freshNamespace(cluster());
    const [old, other] = await Promise.all([replica(namespace), replica(namespace)]);
    await old.records.accept(order(namespace, 'ran', '1'));
    await old.records.accept(order(namespace, 'newer', '1'));
    await old.cache.stop();
    await other.records.ended(claim(namespace, 'ran', 1, 3), SUCCEEDED, signal);
    await other.records.ended(claim(namespace, 'newer', 1, 3), SUCCEEDED, signal);
    await other.records.accept(order(namespace, 'newer', '2'));
    await other.records.accept(order(namespace, 'unseen', '1'));

    old.posted.begin();
    await old.posted.whenRead();
    const recalled = Object.fromEntries(old.lanes.recalled.map((known) => [known.name, known]));
    expect(Object.keys(recalled).toSorted()).toEqual(['newer', 'ran', 'unseen']);
    expect(recalled.ran?.last).toMatchObject({ result: 'succeeded' });
    expect(recalled.newer).toMatchObject({ payload: { deployment: { jobId: '2' } } });
    expect(recalled.newer?.last).toBeUndefined();
    expect(recalled.unseen?.last).toBeUndefined();
  });

  test('what has failed goes on with its backoff, and a former leader tells nothing more', async () => {
    const namespace = await freshNamespace(cluster());
    const { records, lanes, posted } = await replica(namespace);
    await records.accept(order(namespace, 'fails', '1'));
    await records.ended({ ...claim(namespace, 'fails', 1, 7), attempts: 4 }, FAILED, signal);
    const former = records.ended(claim(namespace, 'fails', 1, 6), SUCCEEDED, signal);
    await expect(former).rejects.toThrow(FencedError);
    posted.begin();
    await posted.whenRead();
    expect(lanes.recalled).toMatchObject([
      { payload: { deployment: { jobId: '1' } }, last: { result: 'retry', attempts: 5 } },
    ]);
  });

  test('an order that came while a run was under way is not ended with it', async () => {
    const namespace = await freshNamespace(cluster());
    const { records } = await replica(namespace);
    const first = await records.accept(order(namespace, 'twice', '1'));
    const second = await records.accept(order(namespace, 'twice', '2'));
    await records.ended(claim(namespace, 'twice', 1, 1), SUCCEEDED, signal);
    const key = order(namespace, 'twice', '');
    expect([await records.isDone(key, first), await records.isDone(key, second)]).toEqual([true, false]);
    expect((await only(namespace)).spec.deployment).toBe('{"jobId":"2"}');
    await expect(records.accept(order(namespace, 'twice', '1'))).rejects.toMatchObject({ status: 400 });
  });

  test('many posts at once are all taken, and numbered', async () => {
    const namespace = await freshNamespace(cluster());
    const replicas = await Promise.all([replica(namespace), replica(namespace)]);
    const posts = replicas.flatMap(({ records }) =>
      Array.from({ length: 6 }, () => records.accept(order(namespace, 'many', ''))),
    );
    const orders = await Promise.all(posts);
    expect(new Set(orders).size).toBe(12);
    expect((await only(namespace)).spec.seq).toBe(12);
  });

  test('a record is forgotten when nothing is left of it, and its waiters are told when it is gone', async () => {
    const namespace = await freshNamespace(cluster());
    const { records, lanes, posted } = await replica(namespace, { keptMs: -1 });
    const seq = await records.accept(order(namespace, 'done', '1'));
    await records.accept(order(namespace, 'waits', '1'));
    await records.ended(claim(namespace, 'done', 1, 1), SUCCEEDED, signal);
    posted.begin();
    await posted.whenRead();
    await expect.poll(() => lanes.forgotten.map(({ name }) => name), POLL).toEqual(['done']);
    expect((await only(namespace)).spec.owner.name).toBe('waits');
    await expect(records.isDone(order(namespace, 'done', ''), seq)).rejects.toMatchObject({
      status: 503,
      code: 'PostedDeploymentGone',
    });
  });

  async function only(namespace: string): Promise<PostedObject> {
    const { items } = await client.list(POSTED_TYPE, { namespace });
    const [record] = items;
    if (!record || items.length > 1) throw new Error(`there are ${items.length} records`);
    return record;
  }
});
