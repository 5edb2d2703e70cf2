import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { selfSigned } from '../../support/certificate.js';
import { describeKubernetes, freshNamespace, type TestCluster } from '../../support/control-plane/index.js';
import { clientAs } from '../client/api-client.js';
import { tokenOf } from './access.js';
import { Replica } from './replica.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-follower-'));
const identity = selfSigned();
const tls = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
writeFileSync(tls.cert, identity.cert);
writeFileSync(tls.key, identity.key);
const dispatcher = new Agent({ connect: { ca: identity.cert, servername: 'localhost' } });
afterAll(async () => {
  await dispatcher.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Record<string, unknown>;
}

async function ask(
  url: string,
  token?: string,
  method: 'GET' | 'POST' = 'GET',
  body?: string,
): Promise<Answer> {
  const answer = await request(url, {
    dispatcher,
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body ?? null,
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: (await answer.body.json()) as Record<string, unknown>,
  };
}

async function replica(cluster: TestCluster, name: string, namespace: string): Promise<Replica> {
  const started = await Replica.start(name, clientAs(cluster.admin), namespace, tls);
  onTestFinished(() => started.stop());
  return started;
}

describeKubernetes('through a follower', (cluster) => {
  it('callers get the leader’s answers with their own rights, and another leader takes over', async () => {
    const namespace = await freshNamespace(cluster());
    const instances = { apiGroups: ['solution.symphony'], resources: ['instances'] };
    await cluster().serviceAccount(namespace, 'ann', [{ ...instances, verbs: ['list', 'update'] }]);
    await cluster().serviceAccount(namespace, 'bob');
    const ann = await tokenOf(cluster(), namespace, 'ann');
    const bob = await tokenOf(cluster(), namespace, 'bob');

    const first = await replica(cluster(), 'first', namespace);
    await vi.waitFor(() => expect(first.elector.isLeader).toBe(true), { timeout: 20_000 });
    const second = await replica(cluster(), 'second', namespace);
    await vi.waitFor(() => expect(second.elector.leader?.identity).toMatch(/^first_/), { timeout: 20_000 });

    const jobs = `/v1alpha2/jobs?namespace=${namespace}&kind=Instance`;
    const name = `system:serviceaccount:${namespace}:ann`;
    for (const { url } of [first, second]) {
      expect((await ask(`${url}${jobs}`, ann)).body).toEqual({ by: 'first', for: name });
      expect(await ask(`${url}${jobs}`, bob)).toMatchObject({ status: 403, body: { code: 'Forbidden' } });
      expect(await ask(`${url}${jobs}`, 'nonsense')).toMatchObject({
        status: 401,
        body: { code: 'TokenInvalid' },
        headers: { 'www-authenticate': 'Bearer' },
      });
      expect(await ask(`${url}${jobs}`)).toMatchObject({ status: 401, body: { code: 'TokenMissing' } });
      const order = `/v1alpha2/solution/queue?instance=web&namespace=${namespace}`;
      expect((await ask(`${url}${order}`, ann, 'POST', '{"n": 1.10}')).body).toMatchObject({
        by: 'first',
        for: name,
        body: { n: 1.1 },
      });
      const login = await ask(`${url}/v1alpha2/users/auth`, undefined, 'POST', '{"username": "admin"}');
      expect(login).toMatchObject({ status: 403, body: { code: 'BuiltInUsersOff' } });
    }
    expect((await ask(`${second.url}/v1alpha2/instances?namespace=${namespace}`, ann)).body).toEqual({
      by: 'second',
    });
    expect((await ask(`${second.url}/readyz`)).body).toMatchObject({
      ready: true,
      checks: [
        {
          name: 'k8s',
          detail: expect.stringMatching(/^first_\S+ leads \(term \d+\); the caches are synced$/),
        },
      ],
    });

    await first.elector.stop();
    await vi.waitFor(
      async () => {
        const answer = await ask(`${second.url}${jobs}`, ann);
        // In between nobody leads, and callers are told when to come back.
        if (answer.status === 503) expect(answer.headers['retry-after']).toBeDefined();
        expect(answer.body['by']).toBe('second');
      },
      { timeout: 20_000 },
    );
    expect(second.elector.isLeader).toBe(true);
    // One that has stopped to take part does not answer for the leader.
    expect(await ask(`${first.url}${jobs}`, ann)).toMatchObject({ status: 503 });
  });
});
