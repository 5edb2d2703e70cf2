import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import {
  eventLine,
  json,
  ScriptedServer,
  statusBody,
  type SeenRequest,
} from '../../../../test/k8s/client/scripted-server.js';
import { JobsController } from '../../../modules/queue/jobs.controller.js';
import { ApiClient, fixedAccess } from '../client/index.js';
import { MemoryWaker } from '../lanes/index.js';
import type { Leadership, Term } from '../leadership/index.js';
import { ObjectReflectors } from '../objects/object-reflectors.js';
import type { CustomObject } from '../objects/custom-object.js';
import { Operator, type OperatorParts } from './operator.js';
import { OrderNotes, type OrderNotesOptions } from './order-notes.js';
import { OrderedLanes } from './ordered-lanes.js';

const SHOP = { kind: 'Instance', namespace: 'n', name: 'shop' } as const;

/** An API server with one instance at most, whose watches tell what a test has them tell, when it does. */
class Server {
  version = 10;
  shop: CustomObject<'Instance'> | undefined;
  patched = (): void => undefined;
  readonly patches: object[] = [];
  #watch: ServerResponse | undefined;

  /** @returns what the watch would tell of it */
  write(annotations: Record<string, string | null> = {}): CustomObject<'Instance'> {
    const known = { ...this.shop?.metadata.annotations, ...annotations };
    const kept = Object.entries(known).filter((entry): entry is [string, string] => entry[1] !== null);
    this.shop = {
      metadata: {
        name: 'shop',
        namespace: 'n',
        uid: 'u',
        generation: 1,
        resourceVersion: String(++this.version),
        annotations: Object.fromEntries(kept),
      },
      spec: { solution: 'app' },
    };
    return this.shop;
  }

  tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: object): void {
    this.#watch?.write(eventLine(type, object));
  }

  answer({ method, url, body }: SeenRequest, response: ServerResponse): void {
    const ofInstances = /\/instances(\?|$)/.test(url);
    if (method === 'PATCH') {
      this.patches.push(JSON.parse(body) as object);
      if (!this.shop) return missing(response);
      const { metadata } = JSON.parse(body) as { metadata: { annotations: Record<string, string | null> } };
      json(response, 200, this.write(metadata.annotations));
      this.patched();
    } else if (url.includes('watch=true')) {
      response.writeHead(200).flushHeaders();
      if (ofInstances) this.#watch = response;
    } else {
      const items = ofInstances && this.shop ? [this.shop] : [];
      json(response, 200, { items, metadata: { resourceVersion: String(this.version) } });
    }
  }
}

function missing(response: ServerResponse): void {
  json(response, 404, statusBody(404, 'NotFound', { details: { name: 'shop', kind: 'instances' } }));
}

/** A replica that leads. */
async function leader(
  server = new Server(),
  { outside, ...options }: Partial<OrderNotesOptions> & { outside?: string } = {},
) {
  const { url } = await ScriptedServer.start((request, response) => server.answer(request, response));
  const client = new ApiClient({ access: fixedAccess(url) });
  const objects = new ObjectReflectors({ client, namespaces: undefined, log: { warn: () => undefined } });
  const notes = new OrderNotes({ client, objects, namespaces: undefined, ...options });
  const nothing = (): void => undefined;
  const lanes = new OrderedLanes({
    clock: { now: () => performance.now(), wallNow: () => Date.now() },
    exists: ({ kind, namespace, name }) => objects.get(kind, { namespace, name }) !== undefined,
    write: () => Promise.resolve(false),
    posted: {
      accept: () => Promise.reject(new Error('nothing is posted')),
      isDone: () => Promise.resolve(true),
      begin: nothing,
      end: nothing,
      whenRead: () => Promise.resolve(),
    },
    dependentsOf: () => Promise.resolve({ items: [] }),
    waker: new MemoryWaker(),
    note: (order) => notes.note(order),
    mark: (key, suspended) => notes.mark(key, suspended),
    inReach: (namespace) => namespace !== outside,
  });
  const begun = new Promise<void>((resolve) => {
    const term: Term = { epoch: 1, signal: new AbortController().signal, isLive: () => true };
    const leadership = { isLeader: true, onChange: (listener: (term: Term) => void) => listener(term) };
    const operator = new Operator({
      client,
      objects,
      lanes,
      ledgers: { onChange: nothing, list: () => [], byIndex: () => [] },
      ledger: { setInCharge: nothing },
      health: { forget: nothing },
      leadership: leadership as unknown as Leadership,
      reach: { survey: () => objects.whenSynced().then(() => []), has: () => true, namespaces: [undefined] },
      intervals: { interval: 1_800_000, minInterval: 60_000 },
      log: { log: nothing, warn: nothing },
      begun: resolve,
    } as unknown as OperatorParts);
    operator.start();
  });
  objects.start();
  onTestFinished(() => objects.stop());
  await begun;
  await expect.poll(() => objects.instances.state.connected).toBe(true);
  return { server, objects, lanes, jobs: new JobsController(lanes) };
}

test.each(['suspend', 'resume'] as const)(
  '%s right after an object was made is answered with its lane, when the watch has told of it',
  async (what) => {
    const { server, jobs } = await leader();
    const made = server.write(what === 'resume' ? { 'symphony/suspend': 'true' } : {});
    const answer = jobs[what]('Instance', 'n', 'shop');
    await expect.poll(() => server.patches.length).toBe(1);
    const marked = server.shop ?? {};
    server.tell('ADDED', made);
    server.tell('MODIFIED', marked);
    expect(await answer).toMatchObject({
      name: 'shop',
      state: what === 'suspend' ? 'suspended' : 'waiting',
    });
  },
);

test('an object that the watch does not tell of in time is not said to be missing', async () => {
  const { server, jobs } = await leader(new Server(), { markMs: 50 });
  server.write();
  await expect(jobs.suspend('Instance', 'n', 'shop')).rejects.toMatchObject({
    status: 503,
    code: 'CacheNotReady',
  });
});

test('what is known is held back at once, however late the watch is', async () => {
  const server = new Server();
  server.write();
  const { jobs } = await leader(server);
  expect(await jobs.suspend('Instance', 'n', 'shop')).toMatchObject({ state: 'suspended' });
  expect(await jobs.resume('Instance', 'n', 'shop')).toMatchObject({ state: 'waiting' });
});

test('of two who order the opposite, the one who wrote last is obeyed', async () => {
  const server = new Server();
  server.write();
  const { jobs, lanes, objects } = await leader(server);
  // Somebody resumes it before the answer to the suspension is read.
  server.patched = () => {
    const { metadata } = server.write({ 'symphony/suspend': null });
    objects.instances.seen({ ...server.shop, metadata });
  };
  expect(await jobs.suspend('Instance', 'n', 'shop')).toMatchObject({ state: 'waiting' });
  expect(await lanes.find(SHOP)).toMatchObject({ state: 'waiting' });
});

test('what is not there, has gone meanwhile, or is in a namespace that is not served, is missing', async () => {
  const { server, jobs } = await leader();
  const suspend = (): Promise<unknown> => jobs.suspend('Instance', 'n', 'shop');
  await expect(suspend()).rejects.toMatchObject({ status: 404 });
  const made = server.write();
  server.patched = () => {
    server.tell('ADDED', made);
    server.tell('DELETED', { ...server.shop, metadata: { ...made.metadata, resourceVersion: '99' } });
  };
  await expect(suspend()).rejects.toMatchObject({ status: 404 });

  const other = await leader(server, { namespaces: ['other'] });
  const { length } = server.patches;
  await expect(other.jobs.suspend('Instance', 'n', 'shop')).rejects.toMatchObject({ status: 404 });
  expect(server.patches).toHaveLength(length);
});

test('a run that was ordered is not told as done by the run before it', async () => {
  const server = new Server();
  server.write();
  const { lanes } = await leader(server);
  await lanes.register('w', 60_000);
  const [claim] = await lanes.claim({ worker: 'w', limit: 1, periodic: true });
  if (!claim) throw new Error('nothing is due');
  await lanes.complete(claim, { result: 'succeeded', reason: { code: 'UpToDate', message: '' } });
  const isDone = async (): Promise<boolean> => {
    const { orderSeq, doneSeq } = (await lanes.find(SHOP)) ?? {};
    return orderSeq === doneSeq;
  };
  expect(await isDone()).toBe(true);
  await lanes.order([{ ...SHOP, generation: 1, action: 'update', cause: 'person' }]);
  expect(await isDone()).toBe(false);
});

test('nothing is written of an order for a namespace that the leader leaves alone, and it is told so', async () => {
  const server = new Server();
  server.write();
  const { jobs, lanes } = await leader(server, { outside: 'n' });
  const order = { ...SHOP, generation: 1, action: 'update', cause: 'person' } as const;
  const outOfReach = { status: 503, code: 'NamespaceOutOfReach' };
  await expect(jobs.suspend('Instance', 'n', 'shop')).rejects.toMatchObject(outOfReach);
  await expect(jobs.resume('Instance', 'n', 'shop')).rejects.toMatchObject(outOfReach);
  await expect(lanes.order([order])).rejects.toMatchObject(outOfReach);
  const payload = { deployment: {}, jobId: '1' };
  await expect(lanes.orderInline({ ...order, payload })).rejects.toMatchObject(outOfReach);
  expect(server.patches).toEqual([]);
  // Another replica does not know, and what it writes down the next leader carries out.
  lanes.drop();
  await lanes.order([order]);
  expect(server.patches).toHaveLength(1);
});

test('an order is taken, and told so, although the watch does not tell of its object', async () => {
  const { server, lanes } = await leader(new Server(), { noteMs: 50 });
  server.write();
  await lanes.order([{ ...SHOP, generation: 1, action: 'update', cause: 'person' }]);
  expect(server.shop?.metadata.annotations).toHaveProperty(['symphony/reconcile']);
});
