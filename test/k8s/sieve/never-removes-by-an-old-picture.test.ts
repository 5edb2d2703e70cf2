import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { Lab, Operator } from './lab.js';
import { resourceOf } from './watch-chaos.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const LOST = new Set(['targets', 'ledgers']);
const UNAVAILABLE = { status: 503, body: { kind: 'Status', code: 503 } };
const POLL = { timeout: 60_000, interval: 50 };

// A replica whose watches lost what happened to targets and ledgers takes over: by its picture, some of what is deployed is on
// targets that do not match, or that there are not.
describeKubernetes('a follower that missed events', (cluster) => {
  let lab: Lab;
  let leader: Operator;
  let follower: Operator;

  beforeAll(async () => {
    lab = await Lab.open(cluster());
    leader = await Operator.start(lab);
    follower = await Operator.start(lab, { follows: true, args: ['--kubernetes-relist=10s'] });
  });
  afterAll(async () => {
    await follower.engine.stop();
    await lab.close();
  });

  const there = (life: string) => lab.targets.of(life);

  test('removes nothing by what it believes when it leads', async () => {
    const { lives } = lab;
    const both = ['1', '2'];
    for (const life of both) {
      await lives.target(life, 'near', { life, site: 'near' });
      if (life === '1') await lives.target(life, 'far', { life, site: 'elsewhere' });
      await lives.step('deploy').take(life);
    }
    await vi.waitFor(() => {
      for (const life of both) expect(there(life)).toMatchObject({ near: { a: {}, b: {} } });
    }, POLL);
    // It has seen the target of the first life; of the second life it never sees it.
    const sees = async (): Promise<void> => {
      const answer = await fetch(`${follower.engine.url}/readyz`);
      expect(answer.status).toBe(200);
    };
    await vi.waitFor(sees, POLL);
    let lost = 0;
    // Nor does a list show it what its watches lost, before it leads.
    follower.proxy.fault = ({ url, watch }) => {
      const blind = !follower.engine.output.includes('This process leads');
      return blind && !watch && LOST.has(resourceOf(url)) ? UNAVAILABLE : undefined;
    };
    follower.proxy.tamper = (line, { url }) => {
      const loses = LOST.has(resourceOf(url)) && !line.includes('"BOOKMARK"');
      if (loses) lost += 1;
      return loses ? [] : [line];
    };
    for (const life of both) await lives.target(life, 'far', { life, site: 'far' });
    await vi.waitFor(() => {
      for (const life of both) expect(there(life)).toMatchObject({ far: { c: { version: 1 } } });
    }, POLL);
    await vi.waitFor(() => expect(lost).toBeGreaterThanOrEqual(4), POLL);

    await leader.engine.kill();
    await lab.freeLease();
    await vi.waitFor(() => expect(follower.engine.output).toMatch(/This replica leads/), POLL);
    for (const life of both) await lives.putLater(life);
    // What it has never seen it finds with its next list; until then the run fails, and nothing goes.
    await vi.waitFor(() => {
      for (const life of both) expect(there(life)).toMatchObject({ far: { c: { version: 3 } } });
    }, POLL);
    for (const life of both) {
      expect(lab.targets.removals(life)).toEqual([]);
      expect(there(life)).toMatchObject({ near: { a: {}, b: {} } });
    }
  });
});
