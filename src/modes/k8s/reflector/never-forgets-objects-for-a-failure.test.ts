import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS, type ConfigMap } from '../../../../test/k8s/client/config-maps.js';
import {
  eventLine,
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess, pause } from '../client/index.js';
import { Reflector, type Change, type ReflectorTiming } from './index.js';

const TIMING: Partial<ReflectorTiming> = { backoff: { firstMs: 20, mostMs: 50 }, healthyMs: 0 };

function configMap(name: string, version: number): ConfigMap {
  return { metadata: { namespace: 'a', name, uid: `uid-${name}`, resourceVersion: String(version) } };
}

/** A server that a test scripts: what lists and watches answer at the moment. */
class World {
  list: Answer = (_request, response) => this.answerList(response);
  watch: Answer = (_request, response) => response.writeHead(200).flushHeaders();
  items = [configMap('x', 1), configMap('y', 2)];
  version = 10;

  answerList(response: Parameters<Answer>[1], more: object = {}): void {
    json(response, 200, { items: this.items, metadata: { resourceVersion: String(this.version), ...more } });
  }
}

async function follow(timing: Partial<ReflectorTiming> = {}): Promise<{
  world: World;
  server: ScriptedServer;
  reflector: Reflector<ConfigMap>;
  changes: Change<ConfigMap>[];
}> {
  const world = new World();
  const server = await ScriptedServer.start((request, response) =>
    (request.url.includes('watch=true') ? world.watch : world.list)(request, response),
  );
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const reflector = new Reflector({ client, type: CONFIG_MAPS, timing: { ...TIMING, ...timing } });
  onTestFinished(() => reflector.stop());
  const changes: Change<ConfigMap>[] = [];
  reflector.onChange((change) => changes.push(change));
  reflector.start();
  await reflector.whenSynced({ deadlineMs: 10_000 });
  await expect.poll(() => reflector.state.connected).toBe(true);
  return { world, server, reflector, changes };
}

const expired: Answer = (_request, response) => json(response, 410, statusBody(410, 'Expired'));

it.each<[string, Answer]>([
  ['is forbidden', (_request, response) => json(response, 403, statusBody(403, 'Forbidden'))],
  ['is not served', (_request, response) => void response.writeHead(404).end('404 page not found')],
  ['fails', (_request, response) => json(response, 500, statusBody(500, 'InternalError'))],
  [
    'is empty for want of items',
    (_request, response) => json(response, 200, { metadata: { resourceVersion: '11' } }),
  ],
  [
    'is cut',
    (_request, response) => {
      response.writeHead(200).write('{"items":[');
      setTimeout(() => response.destroy(), 5);
    },
  ],
])('the list %s', async (_what, answer) => {
  const { world, server, reflector, changes } = await follow();
  world.watch = expired;
  world.list = answer;
  server.cutAll();
  const { length } = server.requests;
  await expect.poll(() => server.requests.length).toBeGreaterThan(length + 3);
  expect(reflector.size).toBe(2);
  expect(changes).toHaveLength(2);
  expect(reflector.state).toMatchObject({ synced: true, connected: false });
  expect(reflector.state.problem).toBeDefined();
});

it('the second page of the list fails', async () => {
  const { world, server, reflector } = await follow();
  world.watch = expired;
  world.items = [configMap('x', 1)];
  let seconds = 0;
  world.list = ({ url }, response) => {
    if (!url.includes('continue=')) return world.answerList(response, { continue: 'more' });
    seconds += 1;
    json(response, 500, statusBody(500, 'InternalError'));
  };
  server.cutAll();
  await expect.poll(() => seconds).toBeGreaterThan(2);
  expect(reflector.size).toBe(2);
});

it('the second page expires: all is read in one answer', async () => {
  const { world, server, reflector } = await follow();
  world.watch = expired;
  world.version = 20;
  world.list = ({ url }, response) => {
    if (url.includes('continue=')) return expired({ url } as never, response);
    world.items = url.includes('limit=') ? [configMap('x', 1)] : [configMap('x', 1), configMap('z', 20)];
    world.answerList(response, url.includes('limit=') ? { continue: 'more' } : {});
  };
  server.cutAll();
  await expect.poll(() => reflector.get({ namespace: 'a', name: 'z' })).toBeDefined();
  expect(reflector.get({ namespace: 'a', name: 'y' })).toBeUndefined();
});

it('a list is older than what was seen: a lagging server does not undo it', async () => {
  const { world, server, reflector } = await follow();
  world.watch = (_request, response) => {
    world.watch = expired;
    response.writeHead(200).write(eventLine('ADDED', configMap('z', 30)));
  };
  server.cutAll();
  await expect.poll(() => reflector.size).toBe(3);
  world.items = [configMap('x', 1)];
  const { length } = server.requests;
  server.cutAll();
  await expect.poll(() => server.requests.length).toBeGreaterThan(length + 4);
  expect(reflector.size).toBe(3);
  expect(reflector.state.problem).toMatchObject({ code: 'StaleList' });
  // It has caught up.
  world.version = 31;
  world.items = [configMap('x', 1), configMap('z', 30)];
  await expect.poll(() => reflector.size).toBe(2);
});

it('it stays older: the storage was put back, and its state is the truth', async () => {
  const { world, server, reflector } = await follow({ staleMs: 200 });
  world.watch = (_request, response) =>
    json(
      response,
      504,
      statusBody(504, 'Timeout', { message: 'Too large resource version: 10, current: 5' }),
    );
  world.version = 5;
  world.items = [configMap('x', 1)];
  server.cutAll();
  await expect.poll(() => reflector.size).toBe(1);
});

it('a handler throws: the others and the reflector go on', async () => {
  const { world, server, reflector, changes } = await follow();
  let calls = 0;
  const end = reflector.onChange(() => {
    calls += 1;
    throw new Error('a bug');
  });
  expect(calls).toBe(2);
  world.watch = (_request, response) =>
    void response.writeHead(200).write(eventLine('MODIFIED', configMap('x', 11)));
  server.cutAll();
  await expect.poll(() => changes.length).toBe(3);
  expect(calls).toBe(3);
  end();
  world.watch = (_request, response) =>
    void response.writeHead(200).write(eventLine('MODIFIED', configMap('x', 12)));
  server.cutAll();
  await expect.poll(() => changes.length).toBe(4);
  expect(calls).toBe(3);
});

it('who waits for a state is told when it comes, when it does not, and when the reflector ends', async () => {
  const { world, server, reflector } = await follow();
  const wait = { namespace: 'a', resourceVersion: '15' };
  await expect(reflector.waitFor(wait, { deadlineMs: 50 })).rejects.toMatchObject({
    code: 'CacheNotReady',
    status: 503,
  });
  const stop = new AbortController();
  const cancelled = expect(reflector.waitFor(wait, { signal: stop.signal })).rejects.toThrow('enough');
  stop.abort(new Error('enough'));
  await cancelled;
  const waiting = reflector.waitFor(wait);
  world.watch = (_request, response) =>
    void response.writeHead(200).write(eventLine('BOOKMARK', { metadata: { resourceVersion: '16' } }));
  server.cutAll();
  await waiting;
  await reflector.waitFor(wait);
  const late = expect(reflector.waitFor({ resourceVersion: '99' })).rejects.toMatchObject({ code: 'Ending' });
  await reflector.stop();
  await late;
  await pause(0);
});
