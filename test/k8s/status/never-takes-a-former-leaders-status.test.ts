import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { reason, type DeployableKind, type ObjectStatus } from '@symphony/model';
import { ApiClient, fixedAccess } from '../../../src/modes/k8s/client/index.js';
import { epochOf } from '../../../src/modes/k8s/lanes/lane.js';
import { RefusedWrites } from '../../../src/modes/k8s/leadership/index.js';
import { typeOf, type CustomObject } from '../../../src/modes/k8s/objects/custom-object.js';
import { refusedStatus } from '../../../src/modes/k8s/runs/refused-status.js';
import { StatusWriter } from '../../../src/modes/k8s/runs/status-writer.js';
import { FencedError, type Claim } from '../../../src/modules/queue/index.js';
import {
  describeKubernetes,
  freshNamespace,
  KubernetesApiError,
  type TestCluster,
} from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { Candidates } from '../leadership/candidates.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SOON = { timeout: 15_000, interval: 20 };
/** So long that neither renewals nor their deadline are met by a test. */
const SLOW = { leaseMs: 60_000, renewDeadlineMs: 50_000, retryMs: 20_000 };

function said(message: string): ObjectStatus {
  const { code } = reason('ProviderFailed');
  return {
    provisioningStatus: { operationId: message, status: 'Failed', error: { code } },
    status: 'Failed',
    statusDetails: message,
    reason: code,
    observedGeneration: 1,
    lastModified: new Date().toISOString(),
    deployed: 0,
    targets: 1,
  };
}

const claimOf = ({ metadata: { namespace = '', name } }: CustomObject, term: number): Claim => ({
  kind: 'Instance',
  namespace,
  name,
  fence: { laneId: '1', epoch: epochOf(term, 1) },
  seq: '1',
  generation: 1,
  action: 'update',
  cause: 'person',
  attempts: 0,
  orderedAt: new Date().toISOString(),
  claimedAt: new Date().toISOString(),
});

describeKubernetes('the status of an object', (cluster) => {
  beforeAll(() => installCustomResources(cluster()));

  async function place() {
    const namespace = await freshNamespace(cluster());
    const client = adminOf(cluster());
    onTestFinished(() => client.close());
    const type = typeOf<DeployableKind>('Instance');
    const spec = { solution: 's', target: { name: 't' } };
    const object = await client.create(type, {
      metadata: { name: 'shop', namespace },
      spec,
    });
    const refused: number[] = [];
    const writer = new StatusWriter({
      client,
      seen: () => undefined,
      edits: { ours: async (_uid, patch) => void (await patch()) },
      refused: (_kind, _object, epoch) => void refused.push(epoch),
    });
    /** As a leader does who has last seen the object as it was created. */
    const write = async (term: number, message: string): Promise<void> => {
      const claim = claimOf(object, term);
      const addition = { deploymentHash: undefined, orders: undefined };
      const change = writer.changeOf(claim, object, said(message), addition);
      if (change) await writer.write(claim, change);
    };
    const read = () => client.get(type, { namespace, name: 'shop' });
    const byHand = (status: object) =>
      client.patch(
        type,
        { namespace, name: 'shop' },
        { kind: 'merge', body: { status } },
        { subresource: 'status' },
      );
    return { namespace, client, object, refused, write, read, byHand };
  }

  it('takes none of a leader that was deposed: the server says so, and the run ends', async () => {
    const { write, read, refused } = await place();
    await write(4, 'by the first');
    await write(5, 'by the second');
    const before = await read();
    await expect(write(4, 'by the first, late')).rejects.toThrow(FencedError);
    expect(refused).toEqual([epochOf(4, 1)]);
    expect(await read()).toEqual(before);
    expect(before.status).toMatchObject({ statusDetails: 'by the second', epoch: epochOf(5, 1) });
    await write(5, 'by the second, again');
    expect((await read()).status?.statusDetails).toBe('by the second, again');
  });

  it('is refused as a whole, also where a report or a label would be written as well', async () => {
    const { read, write, byHand } = await place();
    await write(5, 'by the second');
    await expect(byHand({ epoch: 1, reason: 'Made up' })).rejects.toThrow(/newer leader/);
    await byHand({ properties: { a: '1' } });
    expect((await read()).status).toMatchObject({ reason: 'ProviderFailed', properties: { a: '1' } });
  });

  it('from which somebody takes the epoch away locks nobody out, and has one again with the next write', async () => {
    const { write, read, byHand } = await place();
    await write(5, 'as it was');
    await byHand({ epoch: null });
    expect((await read()).status?.epoch).toBeUndefined();
    await write(5, 'as it is');
    expect((await read()).status?.epoch).toBe(epochOf(5, 1));
    await expect(write(4, 'late')).rejects.toThrow(FencedError);
  });

  describe('that refused a write', () => {
    async function elected() {
      const all = await place();
      const candidates = new Candidates(cluster(), all.namespace, SLOW);
      const leader = await candidates.add('a');
      await expect.poll(() => leader.elector.epoch, SOON).toBe(1);
      const warnings: object[] = [];
      const log = { warn: (fields: object) => void warnings.push(fields) };
      const looks = new RefusedWrites({ leadership: leader.elector, log });
      const look = (): Promise<void> =>
        looks.look(refusedStatus(all.client, 'Instance', all.object, epochOf(1, 1)));
      return { ...all, ...leader, candidates, warnings, look };
    }

    it('lets the former leader step down at once, whose watch tells it nothing', async () => {
      const { proxy, elector, candidates, write, read, look } = await elected();
      // From here on it hears of nothing by itself: as if it had stood still.
      proxy.fault = ({ watch }) => (watch ? 'hang' : undefined);
      proxy.cut();
      await cluster().api.call('PATCH', candidates.path, {
        spec: { holderIdentity: 'b', leaseTransitions: 2 },
      });
      await write(2, 'by the next');
      expect(elector.isLeader).toBe(true);
      await expect(write(1, 'by the former')).rejects.toThrow(FencedError);
      await look();
      expect(elector.isLeader).toBe(false);
      expect((await read()).status).toMatchObject({
        statusDetails: 'by the next',
        epoch: epochOf(2, 1),
      });
    });

    it('because of an epoch that somebody made up is set right by the leader, who goes on leading', async () => {
      const { elector, write, read, byHand, look, warnings } = await elected();
      const { term } = elector;
      for (const epoch of [epochOf(7, 0), Number.MAX_SAFE_INTEGER]) {
        await byHand({ epoch });
        await expect(write(1, 'well')).rejects.toThrow(FencedError);
        await look();
        await write(1, `well after ${epoch}`);
        expect((await read()).status).toMatchObject({
          statusDetails: `well after ${epoch}`,
          epoch: epochOf(1, 1),
        });
      }
      expect(elector.term).toBe(term);
      expect(warnings).toHaveLength(2);
    });

    it('is not touched when a new leader has written between look and correction', async () => {
      const { client, object, write, read, byHand } = await place();
      await byHand({ epoch: epochOf(3, 0) });
      const record = refusedStatus(client, 'Instance', object, epochOf(1, 1));
      expect(await record.stored()).toBe(3);
      await write(4, 'by the next');
      await expect(record.correct?.()).rejects.toThrow(/modified|conflict/i);
      expect((await read()).status?.epoch).toBe(epochOf(4, 1));
    });
  });

  it('is the same to its API: a lower epoch is Invalid, and names the field', async () => {
    const { namespace, write } = await place();
    await write(5, 'by the second');
    const path = `/apis/solution.symphony/v1/namespaces/${namespace}/instances/shop/status`;
    const late = cluster().api.call('PATCH', path, { status: { epoch: 1 } });
    await expect(late).rejects.toMatchObject({ status: 422, reason: 'Invalid' });
    await expect(late).rejects.toThrow(KubernetesApiError);
  });
});

function adminOf(cluster: TestCluster): ApiClient {
  const { server, ca, user } = cluster.admin;
  const headers = { authorization: `Bearer ${user.token}` };
  return new ApiClient({ access: fixedAccess(server, { headers, tls: { ca } }) });
}
