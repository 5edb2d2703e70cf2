import { afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { chartAccount } from '../../support/chart-account.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';
import { Backup, type BackupOptions } from './backup.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const POLL = { timeout: 100_000, interval: 100 };

interface Ledger {
  metadata: { deletionTimestamp?: string; ownerReferences?: { uid: string }[]; finalizers?: string[] };
  spec: { owner: { uid: string; name: string }; targetUid: string; knownAs?: object; entries?: object[] };
}

describeKubernetes('what is deployed, when its objects come back from a backup with new uids', (cluster) => {
  let world: ScriptWorld;
  let me: Person;
  let engine: KubernetesProcess;

  beforeAll(() => installCustomResources(cluster()));
  afterEach(async () => {
    await world.dispose();
  });

  /** `shop` is deployed, then everything is lost but the workload; nobody runs. */
  async function lost(options?: BackupOptions): Promise<Backup> {
    world = await ScriptWorld.make();
    const namespace = await cluster().createNamespace('restore');
    const home = await cluster().createNamespace('home');
    me = new Person(cluster(), namespace);
    const account = await chartAccount(cluster(), home);
    engine = await KubernetesProcess.start({
      kubeconfig: account.kubeconfigFile,
      namespaces: [home, namespace],
      args: [world.flag],
    });
    onTestFinished(async () => {
      await engine.kill();
      const refused = await account.refused();
      await account.close();
      await cluster().tryKubectl(['delete', 'namespace', home, namespace, '--wait=false']);
      // The chart's rights are enough.
      expect(refused).toEqual([]);
    });
    await me.apply(target('shop', world), solution('shop'), instance('shop'));
    await me.ready('instance/shop', 'target/shop');
    await engine.kill();
    const backup = await Backup.take(me, options);
    await backup.lose();
    return backup;
  }

  const changes = async (): Promise<string[]> =>
    (await world.notes())
      .filter(({ what, operation }) => what === 'begin' && operation !== 'get')
      .map(({ operation }) => operation);
  const ledgers = async (): Promise<Ledger[]> =>
    (JSON.parse(await me.kubectl('get', 'ledgers', '-o', 'json')) as { items: Ledger[] }).items;
  const uidOf = async (plural: 'targets' | 'instances'): Promise<string> =>
    (await me.get(plural, 'shop')).metadata.uid ?? '';

  /** As it was, under new uids; and its removal still finds it. */
  async function goesOn(): Promise<void> {
    await me.ready('instance/shop');
    expect(await world.deployed()).toEqual(['shop']);
    expect(await changes()).toEqual(['apply']);
    const mine = async (): Promise<Ledger[]> =>
      (await ledgers()).filter(({ spec }) => (spec.entries ?? []).length > 0);
    await expect.poll(mine, POLL).toHaveLength(1);
    const [ledger] = await mine();
    const owner = await uidOf('instances');
    expect(ledger?.spec).toMatchObject({ owner: { uid: owner }, targetUid: await uidOf('targets') });
    expect(ledger?.metadata.deletionTimestamp).toBeUndefined();
    expect(ledger?.metadata.ownerReferences).toMatchObject([{ uid: owner }]);
    expect(ledger?.metadata.finalizers).toHaveLength(1);
    await me.delete('instance/shop');
    expect(await world.deployed()).toEqual([]);
    expect(await changes()).toEqual(['apply', 'remove']);
    await expect.poll(ledgers, POLL).toEqual([]);
  }

  test('is taken up again although the collector of garbage is after its ledger', async () => {
    const backup = await lost();
    await backup.restore('ledgers', 'solutions', 'targets', 'instances');
    await expect.poll(async () => (await ledgers())[0]?.metadata.deletionTimestamp, POLL).toBeDefined();
    await engine.begin();
    await goesOn();
  });

  test('is taken up again when its ledger comes last, while the engine runs', async () => {
    const backup = await lost({ ownerReferences: false });
    await engine.begin();
    await backup.restore('solutions', 'targets', 'instances');
    await me.until('instances', 'shop', (object) => object?.status?.reason === 'NotAdopted');
    expect(await changes()).toEqual(['apply']);
    await backup.restore('ledgers');
    await goesOn();
  });

  test('is taken up again when its ledger comes first, and nobody takes that for one that was left behind', async () => {
    const backup = await lost({ ownerReferences: false });
    await backup.restore('ledgers');
    await engine.begin();
    await engine.kill();
    await engine.begin();
    await expect.poll(() => engine.output, POLL).toMatch(/restored before its object/);
    // Its instance comes before its target: what is there waits for that, too.
    await backup.restore('solutions', 'instances');
    await me.until('instances', 'shop', (object) => object?.status?.reason === 'NoTargetMatched');
    await backup.restore('targets');
    await goesOn();
  });

  test('is given up with its namespace, when its object has not come by then', async () => {
    const backup = await lost();
    await backup.restore('ledgers');
    await engine.begin();
    // It is deleted already, and waits: nothing more happens to it when the namespace is deleted.
    await expect.poll(async () => (await ledgers())[0]?.metadata.deletionTimestamp, POLL).toBeDefined();
    await expect.poll(() => engine.output, POLL).toMatch(/restored before its object/);
    await me.kubectl('delete', 'namespace', me.namespace, '--timeout=100s');
    expect(engine.output).toMatch(/gone before what was deployed for it was removed, which stays.*c on shop/);
    expect(await world.deployed()).toEqual(['shop']);
  });
});
