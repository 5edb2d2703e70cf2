import { expect, it } from 'vitest';
import { request } from 'undici';
import { describeControlPlane, freshNamespace } from '../../support/control-plane/index.js';
import { behindFaults, clientAs } from '../client/api-client.js';
import { CONFIG_MAPS } from '../client/config-maps.js';
import { Mirror, mirrored } from './mirror.js';

const SOON = { timeout: 60_000 };

describeControlPlane('a reflector', (plane) => {
  it('an API server that is killed and started again at its address is followed again', async () => {
    const namespace = await freshNamespace(plane().cluster);
    const client = clientAs(plane().cluster.admin);
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    const mirror = new Mirror(client);
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    await plane().apiServer.kill();
    await expect
      .poll(() => mirror.reflector.state, SOON)
      .toMatchObject({
        connected: false,
        problem: { code: 'KubernetesUnreachable' },
      });
    expect(mirror.names).toEqual(['a']);
    await plane().apiServer.start();
    await client.create(CONFIG_MAPS, mirrored(namespace, 'b'), { repeatable: true });
    await expect.poll(() => mirror.names, SOON).toEqual(['a', 'b']);
    expect(mirror.told).toEqual(['+a', '+b']);
  });

  it('a state that was compacted away while the connection was down: what was deleted meanwhile is told', async () => {
    const namespace = await freshNamespace(plane().cluster);
    const client = clientAs(plane().cluster.admin);
    const { proxy, client: watched } = await behindFaults(plane().cluster.admin);
    for (const name of ['a', 'b']) await client.create(CONFIG_MAPS, mirrored(namespace, name));
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    proxy.down();
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    await client.delete(CONFIG_MAPS, { namespace, name: 'b' });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'b'));
    await compact(plane().etcd.options.args);
    // The API server's own memory of the past goes with its process.
    await plane().apiServer.kill();
    await plane().apiServer.start();
    const before = proxy.requests.length;
    proxy.up();
    await expect.poll(() => mirror.names, SOON).toEqual(['b']);
    expect(mirror.told).toEqual(['+a', '+b', '-a', '-b', '+b']);
    // The old state was asked for first, and refused.
    const [first, ...more] = proxy.requests.slice(before).map(({ watch }) => watch);
    expect(first).toBe(true);
    expect(more).toContain(false);
  });

  it('while etcd is away nothing is forgotten and no storm is made; afterwards it goes on', async () => {
    const namespace = await freshNamespace(plane().cluster);
    const client = clientAs(plane().cluster.admin);
    const { proxy, client: watched } = await behindFaults(plane().cluster.admin);
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    const before = proxy.requests.length;
    await plane().etcd.kill();
    proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(mirror.names).toEqual(['a']);
    expect(proxy.requests.length - before).toBeLessThanOrEqual(20);
    await plane().etcd.start();
    await client.create(CONFIG_MAPS, mirrored(namespace, 'b'), {
      repeatable: true,
      deadlineMs: 60_000,
      attempts: 100,
    });
    await expect.poll(() => mirror.names, SOON).toEqual(['a', 'b']);
  });
});

/** Makes etcd forget everything but the present. */
async function compact(args: readonly string[]): Promise<void> {
  const url = args.find((arg) => arg.startsWith('--listen-client-urls='))?.split('=')[1] ?? '';
  const post = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
    const answer = await request(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    expect(answer.statusCode).toBe(200);
    return (await answer.body.json()) as { header: { revision: string } };
  };
  const { header } = await post('/v3/kv/range', { key: Buffer.from('x').toString('base64') });
  await post('/v3/kv/compaction', { revision: header.revision, physical: true });
}
