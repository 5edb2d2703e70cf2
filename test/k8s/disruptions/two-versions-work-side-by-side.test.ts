import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeControlPlane, type KubernetesObject } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { solution, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { Changes } from './changes.js';
import { nextVersion, NOTE, type NextVersion } from './next-version.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** One of them has to end. */
const LEASE_SECONDS = 12;
const QUIET = ['quiet-a', 'quiet-b'];

// An upgrade, and its way back, while people work.
describeControlPlane('two versions', (plane) => {
  let versions: NextVersion;
  let scene: Scene;
  let newer: KubernetesProcess | undefined;
  const args = ['--reconcile-interval=0'];

  beforeAll(async () => {
    versions = await nextVersion();
    await installCustomResources(plane().cluster);
    const namespace = await plane().cluster.createNamespace('versions');
    scene = await Scene.begin(plane().cluster, namespace, {
      leaseSeconds: LEASE_SECONDS,
      main: versions.present,
      args,
    });
    for (const name of QUIET) await scene.deployed(name);
  });
  afterAll(async () => {
    await newer?.kill();
    await scene.end();
    await versions.remove();
  });

  interface Row {
    component: string;
    [NOTE.name]?: string;
  }
  /** The rows of the ledgers of these instances. */
  const rows = async (owners: readonly string[]): Promise<Row[]> => {
    const path = `/apis/engine.symphony/v1/namespaces/${scene.me.namespace}/ledgers`;
    const { items } = await scene.cluster.api.call<{ items: LedgerObject[] }>('GET', path);
    return items
      .filter(({ spec }) => owners.includes(spec.owner.name))
      .flatMap(({ spec }) => spec.entries ?? []);
  };
  type LedgerObject = KubernetesObject & { spec: { owner: { name: string }; entries?: Row[] } };
  const statuses = (names: readonly string[]): Promise<(Noted | undefined)[]> =>
    Promise.all(names.map(async (name) => (await scene.me.get('instances', name)).status));
  type Noted = NonNullable<SymphonyObject['status']> & { [NOTE.name]?: string };
  const quietCalls = async (): Promise<number> =>
    (await scene.world.notes()).filter(({ instance }) => QUIET.includes(instance)).length;
  const leads = (engine: KubernetesProcess) => async (): Promise<boolean> => {
    const answer = await fetch(`${engine.url}/readyz`);
    return (await answer.text()).includes('This replica leads');
  };
  const follower = (main: string): Promise<KubernetesProcess> =>
    KubernetesProcess.start({
      kubeconfig: scene.cluster.kubeconfigFile,
      namespaces: [scene.me.namespace],
      leaseSeconds: LEASE_SECONDS,
      args: [scene.world.flag, '--reconcile-min-interval=1s', ...args],
      follows: true,
      main,
    });

  test('hand the work over to each other under load; what the newer one wrote survives the older one', async () => {
    const calls = await quietCalls();
    const old = scene.engine;
    const changes = await Changes.begin(scene, 'load');
    await changes.goOn();

    // The definitions of the next version come first, under the present one.
    const apply = ['apply', '--server-side', '--force-conflicts', '--field-manager=upgrade', '-f', '-'];
    await scene.cluster.kubectl(apply, { input: versions.definitions });
    await changes.goOn();

    newer = await follower(versions.next);
    expect(await leads(newer)()).toBe(false);
    await old.stop();
    await expect.poll(leads(newer), POLL).toBe(true);
    await changes.goOn();
    const ofLoad = async (): Promise<(string | undefined)[]> => [
      ...(await rows(changes.names)).map((row) => row[NOTE.name]),
      ...(await statuses(changes.names)).map((status) => status?.[NOTE.name]),
    ];
    const all = Array.from({ length: 2 * changes.names.length }, () => NOTE.value);
    await expect.poll(ofLoad, POLL).toEqual(all);

    // The way back: the older one leads again, and loses nothing of what it does not know.
    const back = await follower(versions.present);
    try {
      await newer.stop();
      await expect.poll(leads(back), POLL).toBe(true);
      await scene.me.apply(solution(QUIET[0] ?? '', 2));
      await changes.goOn(16);
      expect(await ofLoad()).toEqual(all);

      // And forth, this time without a word: its Lease has to end.
      const again = await follower(versions.next);
      await back.kill();
      newer = again;
      await expect.poll(leads(again), POLL).toBe(true);
      await changes.goOn();
    } finally {
      await back.kill();
    }
    expect(changes.figures.refused).toBe(0);
    await changes.endAndConverge();
    expect(await ofLoad()).toEqual(all);
    expect(await scene.world.overlaps()).toEqual([]);
    // One of the quiet ones was changed once; providers heard of the others nothing.
    const ofChange = (await scene.world.notes()).filter(({ instance }) => instance === QUIET[0]).length;
    expect((await quietCalls()) - ofChange).toBe(calls / 2);
    for (const engine of [old, newer, back]) {
      expect(engine.output).not.toMatch(/"level":("error"|"fatal")/);
    }
  });
});
