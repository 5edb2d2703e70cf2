import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, manifest, solution, target } from '../../support/kubernetes-flow.js';
import { findLua, healthOf } from './lua.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const lua = findLua();
if (lua === undefined) {
  if (process.env['CI'] === 'true')
    throw new Error('there is no Lua (Debian: lua5.4), and with CI=true its tests must run');
  process.stderr.write('\nSKIPPED for want of Lua (Debian: lua5.4): what Argo CD sees of health.\n');
}

// What Argo CD does with server-side apply, by kubectl with its field manager.
describeKubernetes('as Argo CD', (cluster) => {
  let scene: Scene;

  beforeAll(async () => {
    await installCustomResources(cluster());
    scene = await Scene.begin(cluster(), await cluster().createNamespace('gitops'));
  });
  afterAll(async () => {
    await scene.end();
    await scene.letAllGo();
  });

  const sync = (input: object[], ...flags: string[]): Promise<string> =>
    cluster().kubectl(['apply', '--server-side', '--field-manager=argocd-controller', ...flags, '-f', '-'], {
      namespace: scene.me.namespace,
      input,
    });
  const parts = (name: string): object[] => [target(name, scene.world), solution(name), instance(name)];
  /** Properties as people write them in charts: empty, null, numbers. */
  const awkward = (name: string): object[] => [
    target(name, scene.world),
    manifest('solutions', name, {
      components: [
        { name: 'c', properties: { empty: '', nothing: null, list: [], number: 1.5 }, metadata: {} },
      ],
    }),
    instance(name, { parameters: {}, reconciliationPolicy: { state: 'active' } }),
  ];

  test.each([
    ['forced', ['--force-conflicts']],
    ['unforced', []],
  ])('a sync without a difference changes no generation and orders no run (%s)', async (name, flags) => {
    await sync(awkward(name), ...flags);
    await scene.me.ready(`instance/${name}`, `target/${name}`);
    const kinds = ['targets', 'solutions', 'instances'] as const;
    const read = () => Promise.all(kinds.map((kind) => scene.me.get(kind, name)));
    const before = await read();
    const calls = (await scene.world.notes()).filter((note) => note.instance === name);
    for (let turn = 0; turn < 3; turn++) await sync(awkward(name), ...flags);
    await scene.deployed(`${name}-after`);
    const after = await read();
    expect(after.map(({ metadata }) => metadata.generation)).toEqual(
      before.map(({ metadata }) => metadata.generation),
    );
    expect(after.map(({ metadata }) => metadata.resourceVersion)).toEqual(
      before.map(({ metadata }) => metadata.resourceVersion),
    );
    expect((await scene.world.notes()).filter((note) => note.instance === name)).toEqual(calls);
  });

  test.each([
    ['solution', 'instance', 'target'],
    ['target', 'instance', 'solution'],
    ['target', 'solution', 'instance'],
    ['instance', 'target', 'solution'],
  ])('pruned as %s, %s, %s, all goes; synced again, all is back', async (...order) => {
    const name = order.join('-');
    await sync(parts(name));
    await scene.me.ready(`instance/${name}`);
    for (const kind of order) await scene.me.kubectl('delete', '--wait=false', `${kind}/${name}`);
    await scene.me.until('instances', name, (object) => object === undefined);
    await scene.me.until('targets', name, (object) => object === undefined);
    expect(await scene.isThere(name)).toBe(false);
    await expect.poll(() => scene.me.owners(), POLL).not.toContain(name);
    await sync(parts(name));
    await scene.me.ready(`instance/${name}`);
    expect(await scene.isThere(name)).toBe(true);
  });

  test('synced again in the middle of a prune, all goes and is back with the next sync', async () => {
    await sync(parts('again'));
    await scene.me.ready('instance/again');
    await scene.world.setPace(1);
    for (const kind of ['target', 'solution', 'instance'])
      await scene.me.kubectl('delete', '--wait=false', `${kind}/again`);
    await cluster().tryKubectl(['apply', '--server-side', '--field-manager=argocd-controller', '-f', '-'], {
      namespace: scene.me.namespace,
      input: parts('again'),
    });
    await scene.world.setPace(0);
    const settled = async (): Promise<boolean> => {
      await sync(parts('again'));
      const { metadata, status } = await scene.me.get('instances', 'again');
      return metadata.deletionTimestamp === undefined && status?.status === 'Succeeded';
    };
    await expect.poll(settled, { ...POLL, interval: 1_000 }).toBe(true);
    expect(await scene.isThere('again')).toBe(true);
    expect(await scene.world.overlaps()).toEqual([]);
  });

  describe.skipIf(lua === undefined)('health, by the snippet that ships', () => {
    const health = async (kind: 'targets' | 'instances', name: string): Promise<string> =>
      (await healthOf(lua ?? '', await scene.me.get(kind, name))).status;

    test('is Progressing while a run is under way, Healthy after it, Progressing again at a change', async () => {
      await scene.world.setPace(2);
      await sync(parts('health'));
      await scene.me.until('instances', 'health', (object) => object?.status?.status === 'Reconciling');
      expect(await health('instances', 'health')).toBe('Progressing');
      await scene.me.ready('instance/health', 'target/health');
      await scene.world.setPace(0);
      expect(await health('instances', 'health')).toBe('Healthy');
      expect(await health('targets', 'health')).toBe('Healthy');
    });

    test('is Degraded with the reason when it failed', async () => {
      await sync([target('sick', scene.world), instance('sick')]);
      await scene.me.until('instances', 'sick', (object) => object?.status?.reason === 'SolutionNotFound');
      const seen = await healthOf(lua ?? '', await scene.me.get('instances', 'sick'));
      expect(seen).toMatchObject({
        status: 'Degraded',
        message: expect.stringMatching(/^SolutionNotFound: ./),
      });
    });

    test('is Suspended while runs are held back', async () => {
      await sync(parts('held'));
      await scene.me.ready('instance/held');
      await scene.me.kubectl('annotate', 'instance/held', 'symphony/suspend=true');
      await expect.poll(() => health('instances', 'held'), POLL).toBe('Suspended');
      await scene.me.kubectl('annotate', 'instance/held', 'symphony/suspend-');
      await expect.poll(() => health('instances', 'held'), POLL).toBe('Healthy');
    });

    test('is Progressing before the first run, with a change that no run has seen, and during a removal', async () => {
      await sync(parts('late'));
      await scene.me.ready('instance/late');
      await scene.engine.kill();
      await sync([instance('late', { parameters: { more: '1' } }), ...parts('unseen')]);
      expect(await health('instances', 'unseen')).toBe('Progressing');
      expect(await health('targets', 'unseen')).toBe('Progressing');
      expect(await health('instances', 'late')).toBe('Progressing');
      await scene.engine.begin();
      await scene.me.ready('instance/unseen', 'instance/late');
      await expect.poll(() => health('instances', 'late'), POLL).toBe('Healthy');
      await scene.engine.kill();
      await scene.me.kubectl('delete', '--wait=false', 'instance/late');
      expect(await health('instances', 'late')).toBe('Progressing');
    });
  });
});
