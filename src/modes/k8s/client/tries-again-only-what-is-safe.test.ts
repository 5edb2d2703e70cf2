import { expect, it } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import {
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess, type RequestRecord } from './index.js';

const REF = { namespace: 'a', name: 'b' };
const OBJECT = { metadata: { ...REF, resourceVersion: '1' } };

async function serve(
  ...answers: Answer[]
): Promise<{ server: ScriptedServer; client: ApiClient; told: RequestRecord[] }> {
  const told: RequestRecord[] = [];
  const server = await ScriptedServer.start((request, response) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  const client = new ApiClient({ access: fixedAccess(server.url), onRequest: (record) => told.push(record) });
  return { server, client, told };
}

const fine: Answer = (_request, response) => json(response, 200, OBJECT);
const cut: Answer = (_request, response) => response.destroy();
const busy =
  (status: number, seconds?: number): Answer =>
  (_request, response) =>
    json(
      response,
      status,
      statusBody(status, 'TooManyRequests'),
      seconds === undefined ? {} : { 'retry-after': String(seconds) },
    );

it('a read is tried again when its connection is cut', async () => {
  const { server, client, told } = await serve(cut, cut, fine);
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toMatchObject(OBJECT);
  expect(server.requests).toHaveLength(3);
  expect(told.map(({ status }) => status)).toEqual([undefined, undefined, 200]);
});

it('a write whose connection is cut may have happened, and is not repeated', async () => {
  const { server, client } = await serve(cut, fine);
  await expect(client.create(CONFIG_MAPS, OBJECT)).rejects.toMatchObject({
    code: 'KubernetesUnreachable',
    effect: 'unknown',
  });
  await expect(client.replace(CONFIG_MAPS, OBJECT)).resolves.toBeDefined();
  expect(server.requests).toHaveLength(2);
});

it('a write that is repeatable by its nature, or by word of the caller, is tried again', async () => {
  const { server, client } = await serve(cut, fine);
  await client.patch(CONFIG_MAPS, REF, { kind: 'apply', body: OBJECT, fieldManager: 'test' });
  expect(server.requests).toHaveLength(2);
  const other = await serve(cut, fine);
  await other.client.delete(CONFIG_MAPS, REF, { repeatable: true });
  expect(other.server.requests).toHaveLength(2);
});

it('a write that was refused for load is tried again, not before the time that the server names', async () => {
  const { server, client } = await serve(busy(429, 1), fine);
  await client.create(CONFIG_MAPS, OBJECT);
  const [first, second] = server.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1000);
});

it('a write is not repeated after an error of the server', async () => {
  const { server, client } = await serve(busy(500));
  await expect(client.create(CONFIG_MAPS, OBJECT)).rejects.toMatchObject({ effect: 'unknown' });
  expect(server.requests).toHaveLength(1);
});

it('gives up at once when the server asks for more time than there is, and passes that time on', async () => {
  const { server, client } = await serve(busy(429, 30));
  const began = performance.now();
  await expect(client.get(CONFIG_MAPS, REF, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 'KubernetesUnavailable',
    retryAfterMs: 30_000,
  });
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(server.requests).toHaveLength(1);
});

it('a server that is away gets few requests', async () => {
  const { server, client } = await serve(busy(503));
  await expect(client.get(CONFIG_MAPS, REF)).rejects.toMatchObject({ code: 'KubernetesUnavailable' });
  expect(server.requests).toHaveLength(4);
});

it('what only another request can mend is not tried again', async () => {
  for (const status of [400, 403, 404, 409, 410, 422]) {
    const { server, client } = await serve((_request, response) =>
      json(response, status, statusBody(status, 'No')),
    );
    await expect(client.get(CONFIG_MAPS, REF)).rejects.toBeDefined();
    expect(server.requests).toHaveLength(1);
  }
});

it('an observer that fails does not fail the request', async () => {
  const server = await ScriptedServer.start(fine);
  const client = new ApiClient({
    access: fixedAccess(server.url),
    onRequest: () => {
      throw new Error('the counter broke');
    },
  });
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toBeDefined();
});
