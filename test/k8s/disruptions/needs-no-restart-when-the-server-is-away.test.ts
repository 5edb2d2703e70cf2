import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { describeControlPlane } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { Changes } from './changes.js';
import { cuttableLine } from './cuttable-line.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const QUIET = ['quiet-a', 'quiet-b'];
const FROZEN_MS = 30_000;
const LEASE_SECONDS = 9;
const CUTS = 20;
const CUT_MS = 400;

describeControlPlane('an engine whose API server', (plane) => {
  let scene: Scene;
  let pid: number | undefined;

  beforeAll(async () => {
    await installCustomResources(plane().cluster);
    const namespace = await plane().cluster.createNamespace('away');
    // No run but those that changes order.
    const args = ['--reconcile-interval=0'];
    scene = await Scene.begin(plane().cluster, namespace, { leaseSeconds: LEASE_SECONDS, args });
    ({ pid } = scene.engine);
    for (const name of QUIET) await scene.deployed(name);
  });
  afterAll(() => scene.end());

  /** What providers were asked for objects that nobody changed. */
  const quietCalls = async (): Promise<number> =>
    (await scene.world.notes()).filter(({ instance }) => QUIET.includes(instance)).length;

  /** Nothing but what was changed was touched, nothing was removed, nothing ran twice at a time, and it is the same process. */
  async function isUnharmed(callsBefore: number): Promise<void> {
    expect(await quietCalls()).toBe(callsBefore);
    const notes = await scene.world.notes();
    expect(notes.filter(({ what, operation }) => what === 'overlap' || operation === 'remove')).toEqual([]);
    await scene.isUnharmed(pid);
    expect(scene.engine.output).not.toMatch(/"level":("error"|"fatal")/);
  }

  test('is killed and started under load goes on: no change is lost, nothing else is touched', async () => {
    const calls = await quietCalls();
    const changes = await Changes.begin(scene, 'restart');
    await changes.goOn();
    for (let turn = 0; turn < 2; turn++) {
      await plane().apiServer.kill();
      await expect
        .poll(() => scene.readiness(), POLL)
        .toMatchObject({ status: 200, text: expect.stringMatching(/do not hear of changes of/) });
      await plane().apiServer.start();
      await expect
        .poll(async () => (await scene.readiness()).text, POLL)
        .toMatch(/This replica leads.*caches are synced"/);
      await changes.goOn();
    }
    expect(changes.figures.refused).toBeGreaterThan(0);
    await changes.endAndConverge();
    await isUnharmed(calls);
  });

  test('has no storage for longer than the Lease steps down without ending, and leads again', async () => {
    const calls = await quietCalls();
    const changes = await Changes.begin(scene, 'frozen');
    await changes.goOn();
    plane().etcd.signal('SIGSTOP');
    const frozen = delay(FROZEN_MS);
    onTestFinished(() => plane().etcd.signal('SIGCONT'));
    await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/No replica leads/);
    const applied = await scene.world.applied();
    await frozen;
    expect((await scene.readiness()).status).toBe(200);
    // Who does not lead calls no provider.
    expect(await scene.world.applied()).toBe(applied);
    plane().etcd.signal('SIGCONT');
    await expect.poll(async () => (await scene.readiness()).text, POLL).toMatch(/This replica leads/);
    await changes.goOn();
    await changes.endAndConverge();
    await isUnharmed(calls);
  });

  test('cuts its watches again and again is followed all the same', async () => {
    const { admin } = plane().cluster;
    const line = await cuttableLine(Number(new URL(admin.server).port));
    onTestFinished(() => line.stop());
    const behind = plane().cluster.kubectlAs({ ...admin, server: `https://127.0.0.1:${line.port}` });
    onTestFinished(() => behind.close());
    const namespace = await plane().cluster.createNamespace('cut');
    const other = await Scene.begin(plane().cluster, namespace, {
      kubeconfig: behind.kubeconfigFile,
      leaseSeconds: LEASE_SECONDS,
    });
    onTestFinished(() => other.end());
    const changes = await Changes.begin(other, 'cut');
    const log = await plane().cluster.auditLog();
    const { made } = changes.figures;
    let cut = 0;
    for (let turn = 0; turn < CUTS; turn++) {
      cut += line.cut();
      await delay(CUT_MS);
    }
    // Some moments find it between two connections; the watches alone are several.
    expect(cut).toBeGreaterThan(CUTS);
    await changes.goOn();
    await changes.endAndConverge();
    await other.isUnharmed(other.engine.pid);
    expect(await other.world.overlaps()).toEqual([]);
    // Each cut costs the watches anew, and each change its reads and writes: no storm comes on top.
    const requests = (await log.events()).filter(({ requestURI }) => requestURI.includes(namespace)).length;
    expect(requests).toBeLessThan(30 * CUTS + 30 * (changes.figures.made - made));
  });
});
