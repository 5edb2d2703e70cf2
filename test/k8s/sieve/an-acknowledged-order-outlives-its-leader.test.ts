import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { EngineClient } from '../../support/engine-client.js';
import { Lab, Operator } from './lab.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const POLL = { timeout: 60_000, interval: 50 };
const PASSWORD = 'for tests of orders';

// The leader is cut off from what it would run: it hears of no order by its watches, and reads no object that it might run. It is
// killed as soon as the orders are acknowledged.
describeKubernetes('a leader that is killed between acknowledgement and run', (cluster) => {
  let lab: Lab;
  let leader: Operator;
  let follower: Operator;

  beforeAll(async () => {
    lab = await Lab.open(cluster());
    const file = join(lab.targets.folder, 'password');
    await writeFile(file, PASSWORD);
    const args = ['--kubernetes-authentication=false', `--admin-password-file=${file}`];
    leader = await Operator.start(lab, { args });
    follower = await Operator.start(lab, { args, follows: true });
  });
  afterAll(async () => {
    await follower.engine.stop();
    await lab.close();
  });

  const there = (life: string) => lab.targets.of(life);
  async function order(life: string, by: Operator): Promise<void> {
    const client = new EngineClient(by.engine.url);
    await client.login('admin', PASSWORD);
    await client.ok('POST', `/solution/queue?instance=app-${life}&namespace=${lab.home}`);
  }

  test('loses no order, whichever replica took it', async () => {
    const orders = new Map([
      ['1', leader],
      ['2', follower],
    ]);
    const { lives } = lab;
    const names = [...orders.keys()];
    for (const life of names) {
      await lives.step('targets').take(life);
      await lives.step('deploy').take(life);
    }
    await vi.waitFor(async () => {
      for (const life of names) {
        expect((await lives.get('instances', `app-${life}`))?.status?.status).toBe('Succeeded');
      }
    }, POLL);

    const ordered = new Set<string>();
    leader.proxy.tamper = (line) => (line.includes('"Instance"') ? [] : [line]);
    leader.proxy.fault = ({ method, url }) => {
      const [, name] = /\/instances\/([^/?]+)/.exec(url) ?? [];
      if (name === undefined) return undefined;
      if (method === 'PATCH') ordered.add(name);
      return method === 'GET' && ordered.has(name) ? 'hang' : undefined;
    };
    for (const life of names) lab.targets.lose(`far-${life}`, 'c');
    const calls = lab.targets.calls.length;
    for (const [life, by] of orders) await order(life, by);
    await leader.engine.kill();
    expect(lab.targets.calls.length).toBe(calls);

    await lab.freeLease();
    await vi.waitFor(() => {
      for (const life of names) expect(there(life)).toMatchObject({ far: { c: { version: 1 } } });
    }, POLL);
    await vi.waitFor(async () => {
      for (const life of names) {
        const instance = await lives.get('instances', `app-${life}`);
        const annotations = instance?.metadata['annotations'] as Record<string, string> | undefined;
        const request = annotations?.['symphony/reconcile'];
        expect(request).toBeDefined();
        expect(instance?.status?.orders?.map((each) => each.request)).toContain(request);
      }
    }, POLL);
    expect(lab.targets.overlaps).toEqual([]);
  });
});
