import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import { json, ScriptedServer } from '../../../../test/k8s/client/scripted-server.js';
import { selfSigned } from '../../../../test/support/certificate.js';
import { ApiClient, openAccess } from './index.js';

it('the proxy of a kubeconfig tunnels to the server, which is checked as without it', async () => {
  const identity = selfSigned();
  const server = await ScriptedServer.start(
    (_request, response) => json(response, 200, { metadata: { name: 'b' } }),
    identity,
  );
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer().on('connect', ({ url = '' }, socket: Socket) => {
    tunnels.push(url);
    const { hostname, port } = new URL(`http://${url}`);
    const target = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    for (const end of [socket, target]) {
      sockets.add(end);
      end.on('error', () => undefined);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'symphony-proxy-'));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await rm(folder, { recursive: true, force: true });
  });
  const kubeconfig = join(folder, 'config');
  const cluster = {
    server: server.url,
    'certificate-authority-data': Buffer.from(identity.cert).toString('base64'),
    'proxy-url': `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
  };
  await writeFile(
    kubeconfig,
    stringify({
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [
        { name: 'other', context: { cluster: 'none', user: 'u' } },
        { name: 'x', context: { cluster: 'c', user: 'u' } },
      ],
      'current-context': 'other',
    }),
  );
  const client = new ApiClient({ access: await openAccess({ kubeconfig, context: 'x' }) });
  onTestFinished(() => client.close());
  await client.get(CONFIG_MAPS, { namespace: 'a', name: 'b' });
  expect(tunnels).toEqual([new URL(server.url).host]);
  expect(server.requests[0]?.headers.authorization).toBe('Bearer t');
});
