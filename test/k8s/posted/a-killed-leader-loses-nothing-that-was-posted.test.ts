import type { SummarySpec } from '@symphony/model';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import type { SymphonyObject } from '../../support/kubernetes-flow.js';
import { Pair } from './pair.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const POLL = { timeout: 60_000, interval: 50 };

describeKubernetes('the leader is killed between the acknowledgement and the run', (cluster) => {
  let pair: Pair;

  beforeEach(async () => {
    pair = await Pair.start(cluster(), 'posted');
  });
  afterEach(() => pair.end());

  const isDeployed = async (name: string): Promise<boolean> => (await pair.world.deployed()).includes(name);

  test('a follower takes a post, waits over the change of leader, and answers with the summary', async () => {
    const client = await pair.at(pair.follower);
    pair.freezeLeader();
    const answer = client.request<SummarySpec>(
      'POST',
      pair.path('reconcile'),
      pair.deployment('waited', '7'),
    );
    await expect.poll(() => pair.record('waited'), POLL).toMatchObject({ spec: { seq: 1, doneSeq: 0 } });
    expect(await isDeployed('waited')).toBe(false);
    await pair.killLeader();

    const { status, body } = await answer;
    expect([status, body]).toMatchObject([200, { allAssignedDeployed: true, jobID: '7' }]);
    expect(await isDeployed('waited')).toBe(true);
    // What has been carried out is not kept, but its number is.
    const { spec } = (await pair.record('waited')) ?? {};
    expect(spec).toMatchObject({ doneSeq: 1, jobId: '7', last: { result: 'succeeded' } });
    expect(spec?.deployment).toBeUndefined();

    const older = await client.request('POST', pair.path('reconcile'), pair.deployment('waited', '6'));
    expect(older.status).toBe(400);
    expect(await client.ok('GET', pair.path('queue', '&instance=waited'))).toMatchObject({
      state: 2,
      generation: '7',
    });
  });

  test('a replica that ends tells its waiters so, and the same post to another one waits for the same', async () => {
    const client = await pair.at(pair.follower);
    pair.freezeLeader();
    const post = () => pair.deployment('handed', '3');
    const waiting = client.request('POST', pair.path('reconcile'), post());
    await expect.poll(() => pair.record('handed'), POLL).toMatchObject({ spec: { seq: 1 } });
    const stopped = pair.follower.stop();
    const { status, headers, body } = await waiting;
    expect([status, body]).toMatchObject([503, { code: 'Ending' }]);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    await stopped;
    await pair.killLeader();

    await pair.follower.begin();
    const again = await (await pair.at(pair.follower)).request('POST', pair.path('reconcile'), post());
    expect([again.status, again.body]).toMatchObject([200, { allAssignedDeployed: true, jobID: '3' }]);
    expect(await isDeployed('handed')).toBe(true);
  });

  test('what was only queued is deployed by the next leader, and what was to go is removed by it', async () => {
    const deploy = '&objectType=deployment';
    let client = await pair.at(pair.leader);
    await pair.world.setPace(30);
    await client.ok('POST', pair.path('queue', deploy), pair.deployment('queued'));
    await pair.killLeader();
    await pair.world.setPace(0);
    await expect.poll(() => isDeployed('queued'), POLL).toBe(true);

    client = await pair.at(pair.follower);
    const done = () => client.request<{ state: number }>('GET', pair.path('queue', '&instance=queued'));
    await expect.poll(async () => (await done()).body, POLL).toMatchObject({ state: 2 });
    await client.ok('POST', pair.path('queue', `${deploy}&delete=true`), pair.deployment('queued', '2'));
    await pair.follower.kill();
    await pair.follower.freeLease();
    await pair.leader.begin();
    await expect.poll(() => isDeployed('queued'), POLL).toBe(false);
    await expect.poll(() => pair.owners(), POLL).toEqual([]);
    expect(await pair.world.overlaps()).toEqual([]);
  });

  test('a report is put into the ledger by the next leader, and the run that waits for it goes on', async () => {
    const { api } = cluster();
    const client = await pair.at(pair.follower);
    await pair.acceptOnly('t-1');
    const inNamespace = `?namespace=${pair.namespace}`;
    await client.target('edge', { topologies: pair.world.topologies }, pair.namespace);
    await client.solution('app', [{ name: 'c' }], pair.namespace);
    await client.instance('app', { solution: 'app', target: { name: 'edge' } }, pair.namespace);
    const path = `/apis/solution.symphony/v1/namespaces/${pair.namespace}/instances/app`;
    const isPending = (object: SymphonyObject | undefined): boolean => object?.status?.reason === 'Pending';
    await api.until(path, isPending, 60_000);

    pair.freezeLeader();
    await pair.finish('app');
    const report = '&report.state=succeeded&report.ticket=t-1';
    await client.ok('PUT', `/targets/status/edge/c${inNamespace}${report}`);
    expect(await pair.reports()).toHaveLength(1);
    await pair.killLeader();

    await client.settled('instances', 'app', 'Succeeded', pair.namespace);
    await expect.poll(() => pair.reports(), POLL).toEqual([]);
  });
});
