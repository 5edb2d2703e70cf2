import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { stringify } from 'yaml';
import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import {
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { selfSigned } from '../../../../test/support/certificate.js';
import { ApiClient, type ClusterAccess } from './index.js';
import { InPodAccess } from './in-pod-access.js';
import { KubeconfigAccess } from './kubeconfig-access.js';

const SERVER = selfSigned();
const REF = { namespace: 'a', name: 'b' };

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'symphony-access-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** As the kubelet does it: a reader sees the old content or the new one, never half of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Lets those in who show the token of now. */
function guardedBy(valid: { token: string }): Answer {
  return ({ headers }, response) => {
    if (headers.authorization === `Bearer ${valid.token}`) json(response, 200, { metadata: REF });
    else json(response, 401, statusBody(401, 'Unauthorized'));
  };
}

async function pod(
  server: ScriptedServer,
  freshMs?: number,
): Promise<{ access: ClusterAccess; token: string }> {
  const directory = await folder();
  const token = join(directory, 'token');
  await writeFile(token, 'first\n');
  await writeFile(join(directory, 'ca.crt'), SERVER.cert);
  await writeFile(join(directory, 'namespace'), 'symphony\n');
  const { hostname, port } = new URL(server.url);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  return { access: await InPodAccess.open(env, directory, freshMs), token };
}

it('a pod speaks as its service account, to the server that its authority vouches for', async () => {
  const server = await ScriptedServer.start(guardedBy({ token: 'first' }), SERVER);
  const { access } = await pod(server);
  const client = new ApiClient({ access });
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toBeDefined();
  expect(client.namespace).toBe('symphony');
});

it('a token that was rotated and refused is read again within the same call', async () => {
  const valid = { token: 'first' };
  const server = await ScriptedServer.start(guardedBy(valid), SERVER);
  const { access, token } = await pod(server, 3_600_000);
  const client = new ApiClient({ access });
  await client.get(CONFIG_MAPS, REF);
  await replaceFile(token, 'second');
  valid.token = 'second';
  await expect(client.create(CONFIG_MAPS, { metadata: REF })).resolves.toBeDefined();
});

it('a rotated token is used before the old one ends', async () => {
  const server = await ScriptedServer.start(
    (_request, response) => json(response, 200, { metadata: REF }),
    SERVER,
  );
  const { access, token } = await pod(server, 0);
  const client = new ApiClient({ access });
  await replaceFile(token, 'second');
  await client.get(CONFIG_MAPS, REF);
  expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer second');
});

it('while the file is missing or empty, the last token is used', async () => {
  const server = await ScriptedServer.start(guardedBy({ token: 'first' }), SERVER);
  const { access, token } = await pod(server, 0);
  const client = new ApiClient({ access });
  await rm(token);
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toBeDefined();
  await writeFile(token, '');
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toBeDefined();
});

it('credentials that stay refused are an error that names them, after one request each', async () => {
  const server = await ScriptedServer.start(guardedBy({ token: 'none' }), SERVER);
  const { access } = await pod(server);
  const client = new ApiClient({ access });
  await expect(client.get(CONFIG_MAPS, REF)).rejects.toMatchObject({
    code: 'KubernetesUnauthorized',
    status: 503,
  });
  expect(server.requests).toHaveLength(1);
});

it('a pod without a service account is told so', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
  await expect(InPodAccess.open(env, await folder())).rejects.toThrow(/automountServiceAccountToken/);
  await expect(InPodAccess.open({})).rejects.toThrow(/not a pod/);
});

interface ConfigParts {
  server: string;
  user: object;
  cluster?: object;
}

async function kubeconfig(directory: string, { server, user, cluster = {} }: ConfigParts): Promise<string> {
  const path = join(directory, 'config');
  await writeFile(
    path,
    stringify({
      clusters: [
        {
          name: 'c',
          cluster: {
            server,
            'certificate-authority-data': Buffer.from(SERVER.cert).toString('base64'),
            ...cluster,
          },
        },
      ],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'n' } }],
      'current-context': 'x',
    }),
  );
  return path;
}

it('a kubeconfig with a client certificate, which is rotated', async () => {
  const [first, second] = [selfSigned(), selfSigned()];
  const fingerprints: string[] = [];
  const server = await ScriptedServer.start(
    (_request, response) => {
      const { fingerprint256 } = (response.req.socket as TLSSocket).getPeerCertificate();
      fingerprints.push(fingerprint256);
      json(response, 200, { metadata: REF });
    },
    { ...SERVER, requestCert: true, rejectUnauthorized: false },
  );
  const directory = await folder();
  await writeFile(join(directory, 'me.crt'), first.cert);
  await writeFile(join(directory, 'me.key'), first.key);
  const user = { 'client-certificate': 'me.crt', 'client-key': 'me.key' };
  const path = await kubeconfig(directory, { server: server.url, user });
  const client = new ApiClient({ access: await KubeconfigAccess.open({ path, freshMs: 0 }) });
  await client.get(CONFIG_MAPS, REF);
  await client.get(CONFIG_MAPS, REF);
  // A pool may open a second one before the first is free again; never one for each request.
  await Promise.all(Array.from({ length: 20 }, () => client.get(CONFIG_MAPS, REF)));
  const before = server.connections;
  for (let count = 0; count < 20; count += 1) await client.get(CONFIG_MAPS, REF);
  expect(server.connections).toBe(before);
  await replaceFile(join(directory, 'me.crt'), second.cert);
  await replaceFile(join(directory, 'me.key'), second.key);
  await client.get(CONFIG_MAPS, REF);
  expect(new Set(fingerprints).size).toBe(2);
  // The connections of the old certificate end.
  await expect.poll(() => server.open).toBe(1);
  expect(client.namespace).toBe('n');
});

it('a kubeconfig with a token file, which is rotated', async () => {
  const valid = { token: 'first' };
  const server = await ScriptedServer.start(guardedBy(valid), SERVER);
  const directory = await folder();
  await writeFile(join(directory, 'token'), 'first\n');
  const path = await kubeconfig(directory, { server: server.url, user: { tokenFile: 'token' } });
  const client = new ApiClient({ access: await KubeconfigAccess.open({ path, freshMs: 0 }) });
  await client.get(CONFIG_MAPS, REF);
  await replaceFile(join(directory, 'token'), 'second');
  valid.token = 'second';
  await expect(client.get(CONFIG_MAPS, REF)).resolves.toBeDefined();
});

it('a plugin is asked again when what it gave is refused', async () => {
  const valid = { token: 'plugin-1' };
  const server = await ScriptedServer.start(guardedBy(valid), SERVER);
  const directory = await folder();
  const counter = join(directory, 'count');
  const script = `n=$(($(cat ${counter} 2>/dev/null || echo 0)+1)); echo $n > ${counter}; echo "{\\"status\\":{\\"token\\":\\"plugin-$n\\"}}"`;
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: '/bin/sh', args: ['-c', script] };
  const path = await kubeconfig(directory, { server: server.url, user: { exec } });
  const client = new ApiClient({ access: await KubeconfigAccess.open({ path, freshMs: 0 }) });
  await client.get(CONFIG_MAPS, REF);
  await client.get(CONFIG_MAPS, REF);
  valid.token = 'plugin-2';
  // The plugin is not started more than once a second.
  await expect
    .poll(
      () =>
        client.get(CONFIG_MAPS, REF).then(
          () => 'fine',
          () => 'refused',
        ),
      { timeout: 10_000 },
    )
    .toBe('fine');
});

it.each([
  ['no such file', {}, /cannot be used/],
  ['a server without TLS', { server: 'http://127.0.0.1:1' }, /without TLS/],
  ['no URL', { server: 'nowhere' }, /URL of a server/],
  ['a SOCKS proxy', { server: 'https://a', cluster: { 'proxy-url': 'socks5://x' } }, /SOCKS/],
])('a kubeconfig that cannot be used says why: %s', async (_what, parts, message) => {
  const directory = await folder();
  const path =
    'server' in parts
      ? await kubeconfig(directory, { user: { token: 't' }, ...parts })
      : join(directory, 'none');
  await expect(KubeconfigAccess.open({ path })).rejects.toThrow(message);
});

it('a server that nobody vouches for gets no token', async () => {
  const server = await ScriptedServer.start(guardedBy({ token: 't' }), selfSigned());
  const path = await kubeconfig(await folder(), { server: server.url, user: { token: 't' } });
  const client = new ApiClient({ access: await KubeconfigAccess.open({ path }) });
  await expect(client.get(CONFIG_MAPS, REF, { attempts: 1 })).rejects.toThrow(
    /certificate of the API server/,
  );
  expect(server.requests).toHaveLength(0);
});
