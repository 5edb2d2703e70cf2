import { expect, it } from 'vitest';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import { behindFaults, clientAs } from '../client/api-client.js';
import { CONFIG_MAPS } from '../client/config-maps.js';
import { Mirror, mirrored } from './mirror.js';

const SOON = { timeout: 20_000 };

describeKubernetes('a reflector', (cluster) => {
  it('shows a list of many pages and follows it', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const names = Array.from({ length: 620 }, (_, index) => `n${String(index).padStart(4, '0')}`);
    await Promise.all(
      names.map((name) => client.create(CONFIG_MAPS, mirrored(namespace, name, { owner: 'me' }))),
    );
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    expect(mirror.names).toEqual(names);
    expect(mirror.told).toHaveLength(620);
    expect(mirror.reflector.byIndex('owner', 'me')).toHaveLength(620);
    expect(mirror.reflector.list()[0]?.metadata.managedFields).toBeUndefined();

    const ref = { namespace, name: 'n0001' };
    const { metadata } = await client.patch(CONFIG_MAPS, ref, {
      kind: 'merge',
      body: { data: { owner: 'you' } },
    });
    await mirror.reflector.waitFor({ namespace, resourceVersion: metadata.resourceVersion ?? '' });
    expect(mirror.reflector.byIndex('owner', 'you')).toHaveLength(1);
    await client.delete(CONFIG_MAPS, ref);
    await expect.poll(() => mirror.told.slice(620), SOON).toEqual(['~n0001', '-n0001']);
    // Two pages and one watch.
    expect(proxy.requests).toHaveLength(3);
  });

  it('goes on where its watch was cut, and sees what happened in between, deletions included', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    for (const name of ['a', 'b']) await client.create(CONFIG_MAPS, mirrored(namespace, name));
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    proxy.down();
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    await client.patch(CONFIG_MAPS, { namespace, name: 'b' }, { kind: 'merge', body: { data: { x: '1' } } });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'c'));
    await expect.poll(() => mirror.reflector.state, SOON).toMatchObject({ synced: true, connected: false });
    expect(mirror.names).toEqual(['a', 'b']);
    proxy.up();
    await expect.poll(() => mirror.names, SOON).toEqual(['b', 'c']);
    expect(mirror.told).toEqual(['+a', '+b', '-a', '~b', '+c']);
    // It was resumed, not listed anew.
    expect(proxy.requests.filter(({ watch }) => !watch)).toHaveLength(1);
  });

  it('tells apart an object that was deleted and made again while nobody looked', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    const first = mirror.changes[0]?.key.uid;
    proxy.tamper = (line) => (line.startsWith('{"type":"DELETED"') ? [] : [line]);
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    await expect.poll(() => mirror.told, SOON).toEqual(['+a', '-a', '+a']);
    expect(mirror.changes[1]?.key.uid).toBe(first);
    expect(mirror.changes[2]?.key.uid).not.toBe(first);
  });

  it('repeated, reordered and late events lead to the same picture', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    const past: string[] = [];
    let held: string | undefined;
    // Every second event comes before the one ahead of it, and each is followed by all that ever were, newest first.
    proxy.tamper = (line) => {
      if (held === undefined) {
        held = line;
        return [];
      }
      const lines = [line, held, ...past.toReversed()];
      past.push(held, line);
      held = undefined;
      return lines;
    };
    const mirror = new Mirror(watched, { namespaces: [namespace] });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    for (const name of ['a', 'b', 'c']) await client.create(CONFIG_MAPS, mirrored(namespace, name));
    await client.patch(CONFIG_MAPS, { namespace, name: 'a' }, { kind: 'merge', body: { data: { x: '1' } } });
    await client.delete(CONFIG_MAPS, { namespace, name: 'b' });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'd'));
    await expect.poll(() => mirror.names, SOON).toEqual(['a', 'c', 'd']);
    expect(mirror.told).toEqual(['+b', '+a', '~a', '+c', '+d', '-b']);
    expect(mirror.reflector.get({ namespace, name: 'a' })?.data).toEqual({ x: '1' });
  });

  it('events that a proxy loses are made up for by the next list', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    const mirror = new Mirror(watched, {
      namespaces: [namespace],
      timing: { watchMs: 1_000, relistMs: 1_000, healthyMs: 500 },
    });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    proxy.tamper = () => [];
    await client.delete(CONFIG_MAPS, { namespace, name: 'a' });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'b'));
    await expect.poll(() => mirror.names, SOON).toEqual(['b']);
  });

  it('a connection that is half open is noticed without its end', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const { proxy, client: watched } = await behindFaults(cluster().admin);
    let silent = true;
    // The watch is accepted, and then nothing passes any more.
    proxy.tamper = (line) => (silent ? [] : [line]);
    const mirror = new Mirror(watched, {
      namespaces: [namespace],
      timing: { idleMs: 1_000, healthyMs: 500 },
    });
    await mirror.reflector.whenSynced({ deadlineMs: 20_000 });
    await expect.poll(() => mirror.reflector.state.connected, SOON).toBe(true);
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    await expect.poll(() => proxy.requests.filter(({ watch }) => watch).length, SOON).toBeGreaterThan(1);
    silent = false;
    await expect.poll(() => mirror.names, SOON).toEqual(['a']);
    expect(mirror.told).toEqual(['+a']);
  });

  it('listed namespaces are followed by rights in them alone', async () => {
    const [one, two, other] = [
      await freshNamespace(cluster()),
      await freshNamespace(cluster()),
      await freshNamespace(cluster()),
    ];
    const admin = clientAs(cluster().admin);
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }];
    const user = await cluster().serviceAccount(one, 'reader', rules);
    await cluster().api.call('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${two}/roles`, {
      metadata: { name: 'reader' },
      rules,
    });
    const mirror = new Mirror(clientAs(user), {
      namespaces: [one, two],
      timing: { backoff: { firstMs: 100, mostMs: 500 } },
    });
    await mirror.reflector.whenSynced({ namespace: one, deadlineMs: 20_000 });
    await expect(mirror.reflector.whenSynced()).rejects.toMatchObject({ code: 'Forbidden' });
    expect(mirror.reflector.state).toMatchObject({ synced: true, refused: [two] });
    // The right is given later, and nothing has to be restarted.
    await cluster().api.call('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${two}/rolebindings`, {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', namespace: one, name: 'reader' }],
    });
    await expect.poll(() => mirror.reflector.state, SOON).toMatchObject({ synced: true, refused: [] });
    for (const namespace of [one, two, other]) await admin.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    await expect.poll(() => mirror.reflector.size, SOON).toBe(2);
    expect(mirror.reflector.get({ namespace: two, name: 'a' })).toBeDefined();
    expect(mirror.reflector.get({ namespace: other, name: 'a' })).toBeUndefined();
    await expect(mirror.reflector.waitFor({ namespace: other, resourceVersion: '1' })).rejects.toThrow(
      'not watched',
    );
  });

  it('what leaves the selection is gone, and comes back with it', async () => {
    const namespace = await freshNamespace(cluster());
    const client = clientAs(cluster().admin);
    const mirror = new Mirror(client, { namespaces: [namespace] });
    await client.create(CONFIG_MAPS, mirrored(namespace, 'a'));
    const label = (value: string | null): Promise<unknown> =>
      client.patch(
        CONFIG_MAPS,
        { namespace, name: 'a' },
        { kind: 'merge', body: { metadata: { labels: { mirror: value } } } },
      );
    await expect.poll(() => mirror.told, SOON).toEqual(['+a']);
    await label(null);
    await expect.poll(() => mirror.told, SOON).toEqual(['+a', '-a']);
    await label('yes');
    await expect.poll(() => mirror.told, SOON).toEqual(['+a', '-a', '+a']);
  });
});
