import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS, type ConfigMap } from '../../../../test/k8s/client/config-maps.js';
import {
  eventLine,
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess } from '../client/index.js';
import { Reflector } from './index.js';

const FORBIDDEN = { code: 'Forbidden', status: 403 };
const forbidden: Answer = (_request, response) => json(response, 403, statusBody(403, 'Forbidden'));
const failing: Answer = (_request, response) => json(response, 500, statusBody(500, 'InternalError'));
const silent: Answer = () => undefined;
const complete: Answer = ({ url }, response) => {
  if (url.includes('watch=true')) {
    response.writeHead(200).write(eventLine('BOOKMARK', { metadata: { resourceVersion: '10' } }));
    return;
  }
  const [, namespace = 'a'] = /namespaces\/([^/]+)/.exec(url) ?? [];
  const item: ConfigMap = { metadata: { namespace, name: 'x', uid: namespace, resourceVersion: '1' } };
  json(response, 200, { items: [item], metadata: { resourceVersion: '10' } });
};

/** A server that answers for each namespace as a test says at the moment, and a reflector of these namespaces. */
async function follow(
  namespaces: string[] | undefined,
  answers: Record<string, Answer>,
): Promise<{ reflector: Reflector<ConfigMap>; server: ScriptedServer }> {
  const server = await ScriptedServer.start((request, response) => {
    const [, namespace = 'all'] = /namespaces\/([^/]+)/.exec(request.url) ?? [];
    (answers[namespace] ?? silent)(request, response);
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const timing = { backoff: { firstMs: 20, mostMs: 50 }, healthyMs: 0 };
  const reflector = new Reflector({ client, type: CONFIG_MAPS, namespaces, timing });
  onTestFinished(async () => {
    server.cutAll();
    await reflector.stop();
  });
  return { reflector, server };
}

it('a namespace that may not be listed is named, and the others are complete without it', async () => {
  const answers = { a: complete, b: forbidden };
  const { reflector } = await follow(['a', 'b'], answers);
  // Told to those who wait already, and to those who come later.
  const waiting = expect(reflector.whenSynced({ namespace: 'b' })).rejects.toMatchObject(FORBIDDEN);
  const all = expect(reflector.whenSynced()).rejects.toMatchObject(FORBIDDEN);
  reflector.start();
  await Promise.all([waiting, all, reflector.whenSynced({ namespace: 'a' })]);
  await expect(reflector.whenSynced({ namespace: 'b' })).rejects.toMatchObject(FORBIDDEN);
  const write = { namespace: 'b', resourceVersion: '1' };
  await expect(reflector.waitFor(write)).rejects.toMatchObject(FORBIDDEN);
  await expect.poll(() => reflector.follows('a')).toBe(true);
  expect(reflector.follows('b')).toBe(false);
  expect(reflector.state).toMatchObject({
    synced: true,
    connected: true,
    problem: undefined,
    refused: ['b'],
  });

  // What is not known is not taken for absent, but where it was not asked for.
  expect(() => reflector.listed('b')).toThrow(/not see the newest configmaps yet: .*it is Forbidden/);
  expect([reflector.listed('a'), reflector.listed(), reflector.listed('c')]).toMatchObject([
    [{ metadata: { namespace: 'a' } }],
    [{ metadata: { namespace: 'a' } }],
    [],
  ]);

  answers.b = complete;
  await expect.poll(() => reflector.state.refused).toEqual([]);
  await reflector.whenSynced({ namespace: 'b', deadlineMs: 10_000 });
  await expect.poll(() => reflector.follows('b')).toBe(true);
  expect(reflector.listed('b')).toHaveLength(1);
  expect(reflector.listed()).toHaveLength(2);
});

it('a namespace that is not known yet for any other reason is waited for', async () => {
  const answers: Record<string, Answer> = { a: complete, b: forbidden };
  const { reflector } = await follow(['a', 'b'], answers);
  reflector.start();
  await expect.poll(() => reflector.state.refused).toEqual(['b']);
  answers['b'] = failing;
  await expect.poll(() => reflector.state.refused).toEqual([]);
  expect(reflector.state).toMatchObject({ synced: false, connected: false });
  const waiting = reflector.whenSynced({ namespace: 'b', deadlineMs: 10_000 });
  answers['b'] = complete;
  await waiting;
});

it('what was complete once stays so when the right to it is taken away', async () => {
  const answers = { a: complete, b: complete };
  const { reflector, server } = await follow(['a', 'b'], answers);
  reflector.start();
  await reflector.whenSynced({ deadlineMs: 10_000 });
  answers.b = forbidden;
  server.cutAll();
  await expect.poll(() => reflector.state.problem).toMatchObject(FORBIDDEN);
  expect(reflector.state).toMatchObject({ synced: true, connected: false, refused: [] });
  expect(reflector.follows('b')).toBe(false);
  expect(reflector.problemIn('b')).toMatchObject(FORBIDDEN);
  await expect.poll(() => reflector.problemIn('a')).toBeUndefined();
  expect(reflector.list('b')).toHaveLength(1);
  await reflector.whenSynced({ namespace: 'b' });
});

it.each<[string, string[] | undefined, string[]]>([
  ['of the served namespaces', ['a', 'b'], ['a', 'b']],
  ['of the cluster', undefined, []],
])('without a right to any %s nothing is complete', async (_what, namespaces, refused) => {
  const { reflector } = await follow(namespaces, { a: forbidden, b: forbidden, all: forbidden });
  reflector.start();
  await expect(reflector.whenSynced()).rejects.toMatchObject(FORBIDDEN);
  await expect.poll(() => reflector.state.refused).toEqual(refused);
  expect(reflector.state).toMatchObject({ synced: false, connected: false });
  expect(reflector.state.problem).toMatchObject(FORBIDDEN);
  expect(() => reflector.listed()).toThrow(/not see the newest configmaps yet/);
});
