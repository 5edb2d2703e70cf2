import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import { eventLine, json, ScriptedServer } from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess, pause } from './index.js';

const REF = { namespace: 'a', name: 'b' };
const WATCH = { resourceVersion: '1', timeoutSeconds: 300, idleMs: 60_000 };

it('a server that takes the request and never answers is given up after the attempt, and asked again', async () => {
  let asked = 0;
  const server = await ScriptedServer.start((_request, response) => {
    asked += 1;
    if (asked > 1) json(response, 200, { metadata: REF });
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  await client.get(CONFIG_MAPS, REF, { attemptMs: 3_000 });
  expect(asked).toBe(2);
});

it('a call ends at its deadline', async () => {
  const server = await ScriptedServer.start(() => undefined);
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const began = performance.now();
  await expect(client.get(CONFIG_MAPS, REF, { deadlineMs: 200 })).rejects.toMatchObject({
    code: 'KubernetesUnreachable',
  });
  expect(performance.now() - began).toBeLessThan(10_000);
});

it('a call ends when the body stops in the middle', async () => {
  const server = await ScriptedServer.start((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"metadata":');
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  await expect(client.get(CONFIG_MAPS, REF, { deadlineMs: 200 })).rejects.toMatchObject({
    code: 'KubernetesUnreachable',
  });
});

it('a call ends while its TLS handshake hangs', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const client = new ApiClient({
    access: fixedAccess(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`),
  });
  const call = client.get(CONFIG_MAPS, REF, { deadlineMs: 200 });
  await expect(call).rejects.toMatchObject({ code: 'KubernetesUnreachable' });
  await client.close();
});

it('the signal ends a call with its reason, and its connection', async () => {
  const server = await ScriptedServer.start(() => undefined);
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const stop = new AbortController();
  const call = client.get(CONFIG_MAPS, REF, { signal: stop.signal });
  await expect.poll(() => server.requests.length).toBe(1);
  stop.abort(new Error('not wanted any more'));
  await expect(call).rejects.toThrow('not wanted any more');
  await expect.poll(() => server.open).toBe(0);
  await expect(client.get(CONFIG_MAPS, REF, { signal: stop.signal })).rejects.toThrow('not wanted any more');
});

it('closing the client ends what is under way, and what comes later', async () => {
  const server = await ScriptedServer.start(() => undefined);
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const call = client.get(CONFIG_MAPS, REF, { attempts: 1 });
  const ended = expect(call).rejects.toMatchObject({ code: 'KubernetesUnreachable' });
  await expect.poll(() => server.requests.length).toBe(1);
  await client.close();
  await ended;
  await expect(client.get(CONFIG_MAPS, REF, { attempts: 1 })).rejects.toMatchObject({ status: 503 });
});

it('a watch that hears nothing counts as dead; each byte is a sign of life', async () => {
  const server = await ScriptedServer.start((_request, response) => {
    response.writeHead(200);
    void (async () => {
      for (let version = 2; version < 6; version += 1) {
        response.write(eventLine('BOOKMARK', { metadata: { resourceVersion: String(version) } }));
        await pause(2_500);
      }
    })();
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const heard: string[] = [];
  const watching = async (): Promise<void> => {
    const { signal } = new AbortController();
    for await (const event of client.watch(CONFIG_MAPS, { ...WATCH, idleMs: 6_000, signal }))
      heard.push(event.type);
  };
  await expect(watching()).rejects.toMatchObject({ code: 'KubernetesUnreachable' });
  expect(heard).toHaveLength(4);
  await expect.poll(() => server.open).toBe(0);
});

it('a watch that nobody reads any more gives its connection back', async () => {
  const server = await ScriptedServer.start((_request, response) => {
    response.writeHead(200).write(eventLine('BOOKMARK', { metadata: { resourceVersion: '2' } }));
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const { signal } = new AbortController();
  for await (const event of client.watch(CONFIG_MAPS, { ...WATCH, signal })) if (event) break;
  await expect.poll(() => server.open).toBe(0);
});
