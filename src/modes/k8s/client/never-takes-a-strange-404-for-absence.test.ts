import { NotFoundError } from '@symphony/model';
import { expect, it } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import {
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess } from './index.js';

const REF = { namespace: 'a', name: 'b' };

async function clientOf(answer: Answer): Promise<ApiClient> {
  const server = await ScriptedServer.start(answer);
  return new ApiClient({ access: fixedAccess(server.url) });
}

it('an object that the API server names as missing is not there', async () => {
  const status = statusBody(404, 'NotFound', { details: { name: 'b', kind: 'configmaps' } });
  const client = await clientOf((_request, response) => json(response, 404, status));
  await expect(client.get(CONFIG_MAPS, REF)).rejects.toThrow(NotFoundError);
});

it.each([
  ['a resource that is not served', '404 page not found', 'text/plain'],
  ['a page of a proxy', '<html>not found</html>', 'text/html'],
  ['a Status that names nothing', JSON.stringify(statusBody(404, 'NotFound')), 'application/json'],
])('%s says nothing about the object', async (_what, body, type) => {
  const client = await clientOf((_request, response) => {
    response.writeHead(404, { 'content-type': type }).end(body);
  });
  await expect(client.get(CONFIG_MAPS, REF)).rejects.toMatchObject({ code: 'KindNotServed', status: 503 });
  await expect(client.list(CONFIG_MAPS)).rejects.toMatchObject({ code: 'KindNotServed' });
});

it.each([
  ['an empty object', '{}'],
  ['null items', '{"items":null,"metadata":{"resourceVersion":"1"}}'],
  ['no version', '{"items":[],"metadata":{}}'],
  ['half of an answer', '{"items":[],"metadata":{"resourceVer'],
])('%s is no empty list', async (_what, body) => {
  const client = await clientOf((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
  await expect(client.list(CONFIG_MAPS, { attempts: 1 })).rejects.toMatchObject({
    code: 'KubernetesUnavailable',
  });
});

it('a namespace that is missing is told apart', async () => {
  const status = statusBody(404, 'NotFound', { details: { name: 'a', kind: 'namespaces' } });
  const client = await clientOf((_request, response) => json(response, 404, status));
  await expect(client.create(CONFIG_MAPS, { metadata: REF })).rejects.toMatchObject({
    code: 'NamespaceNotFound',
    status: 404,
  });
});
