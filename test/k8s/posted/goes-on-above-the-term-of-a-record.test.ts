import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SummarySpec } from '@symphony/model';
import { epochOf } from '../../../src/modes/k8s/lanes/lane.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import type { EngineClient } from '../../support/engine-client.js';
import type { KubernetesProcess } from '../../support/kubernetes-process.js';
import { Pair } from './pair.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const POLL = { timeout: 60_000, interval: 50 };
const DEPLOYED = { status: 200, body: { allAssignedDeployed: true } };

/** As when the Lease was deleted, or the engine installed anew beside it, and its count begins again. */
describeKubernetes('the record of a posted deployment is of a later term than the Lease', (cluster) => {
  let pair: Pair;

  beforeEach(async () => {
    pair = await Pair.start(cluster(), 'posted-term');
  });
  afterEach(() => pair.end());

  const post = (client: EngineClient, jobID: string) =>
    client.request<SummarySpec>('POST', pair.path('reconcile'), pair.deployment('shop', jobID));

  /** What was posted has run once, and its record says that a leader of that term had told so. */
  async function ranInTerm(term: number): Promise<void> {
    expect(await post(await pair.at(pair.leader), '1')).toMatchObject(DEPLOYED);
    await pair.setEpoch('shop', epochOf(term, 1));
  }

  test('the next leader begins above it', async () => {
    await ranInTerm(9);
    const client = await pair.at(pair.follower);
    pair.freezeLeader();
    const answer = post(client, '2');
    await expect.poll(() => pair.record('shop'), POLL).toMatchObject({ spec: { seq: 2, doneSeq: 1 } });
    await pair.killLeader();
    expect(await answer).toMatchObject(DEPLOYED);
    expect(termsOf(pair.follower)[0]).toBe(10);
  });

  test('a leader whose outcome it refuses leads on with a higher term, and the caller has an answer', async () => {
    await ranInTerm(9);
    expect(await post(await pair.at(pair.leader), '2')).toMatchObject(DEPLOYED);
    expect(termsOf(pair.leader)).toContain(10);
  });
});

/** The terms in which a process has led so far. */
function termsOf({ output }: KubernetesProcess): number[] {
  return output
    .split('\n')
    .filter((line) => line.includes('"msg":"This process leads"'))
    .map((line) => (JSON.parse(line) as { epoch: number }).epoch);
}
