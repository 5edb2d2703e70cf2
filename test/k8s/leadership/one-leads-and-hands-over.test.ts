import { expect, it, vi } from 'vitest';
import { pause } from '../../../src/modes/k8s/client/index.js';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import { Candidates, LASTING, overlaps, PASSING } from './candidates.js';

vi.setConfig({ testTimeout: 150_000 });

const SOON = { timeout: 60_000, interval: 10 };

describeKubernetes('an elector', (cluster) => {
  it('the first one leads with epoch 1, and writes who it is', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const annotations = (): Record<string, string> => ({ 'symphony/address': 'https://10.0.0.1:8443' });
    const { elector } = await candidates.add('a', { annotations });
    await expect.poll(() => elector.epoch, SOON).toBe(1);
    const other = await candidates.add('b');
    const { spec, metadata } = await candidates.lease();
    expect(spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1, leaseDurationSeconds: 60 });
    expect(metadata.annotations).toEqual(annotations());
    await expect
      .poll(() => other.elector.leader, SOON)
      .toEqual({ identity: 'a', epoch: 1, annotations: annotations() });
    expect(other.elector.isLeader).toBe(false);
  });

  it('a leader renews, and nobody else gets in', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()), PASSING);
    await candidates.add('a');
    await expect.poll(() => candidates.leading.length, SOON).toBe(1);
    await candidates.add('b');
    const { spec } = await candidates.lease();
    await pause(1.2 * PASSING.leaseMs);
    expect(candidates.terms).toHaveLength(1);
    const later = await candidates.lease();
    expect(later.spec.renewTime > spec.renewTime).toBe(true);
    expect(later.spec.leaseTransitions).toBe(1);
  });

  it('candidates watch: a quiet one asks for the Lease no more', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    await candidates.add('a');
    await expect.poll(() => candidates.leading.length, SOON).toBe(1);
    const { proxy, elector } = await candidates.add('b');
    await expect.poll(() => elector.leader?.identity, SOON).toBe('a');
    await expect.poll(() => proxy.requests.some(({ watch }) => watch), SOON).toBe(true);
    // It may still be at the look that it began before its watch.
    let length: number;
    do {
      ({ length } = proxy.requests);
      await pause(1_000);
    } while (proxy.requests.length > length);
    await pause(4_000);
    expect(proxy.requests).toHaveLength(length);
  });

  it('a leader that stops hands over at once, long before its lease ends', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const first = await candidates.add('a');
    await expect.poll(() => first.elector.isLeader, SOON).toBe(true);
    const second = await candidates.add('b');
    await expect.poll(() => second.proxy.requests.some(({ watch }) => watch), SOON).toBe(true);
    const began = performance.now();
    await first.elector.stop();
    await expect.poll(() => second.elector.epoch, SOON).toBe(2);
    expect(performance.now() - began).toBeLessThan(LASTING.leaseMs / 2);
    expect(overlaps(candidates.terms)).toEqual([]);
  });

  it('a leader that vanished is followed when its lease has ended, not before', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()), PASSING);
    const first = await candidates.add('a');
    await expect.poll(() => first.elector.isLeader, SOON).toBe(true);
    const second = await candidates.add('b');
    await expect.poll(() => second.elector.leader?.identity, SOON).toBe('a');
    first.proxy.down();
    const began = performance.now();
    await expect.poll(() => second.elector.epoch, SOON).toBe(2);
    expect(performance.now() - began).toBeLessThan(2 * PASSING.leaseMs);
    const [lost, gained] = candidates.terms;
    const written = first.proxy.requests.findLast(({ method, answered }) => method !== 'GET' && answered);
    expect((gained?.from ?? 0) - (written?.at ?? Infinity)).toBeGreaterThanOrEqual(PASSING.leaseMs);
    expect(overlaps(candidates.terms)).toEqual([]);
    // It stepped down by itself, before anybody could take over.
    expect((gained?.from ?? 0) - (lost?.until ?? Infinity)).toBeGreaterThan(100);
    // The process goes on, and is a candidate again.
    first.proxy.up();
    await expect.poll(() => first.elector.leader?.identity, SOON).toBe('b');
    await second.elector.stop();
    await expect.poll(() => first.elector.epoch, SOON).toBe(3);
  });

  it('a half-open connection is as good as none', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()), PASSING);
    const first = await candidates.add('a');
    await expect.poll(() => first.elector.isLeader, SOON).toBe(true);
    const signal = first.elector.term?.signal;
    first.proxy.fault = () => 'hang';
    const began = performance.now();
    await expect.poll(() => signal?.aborted, SOON).toBe(true);
    expect(performance.now() - began).toBeLessThan(PASSING.leaseMs);
    expect(first.elector.isLeader).toBe(false);
    // What it held by itself it may take again, in a term of its own.
    first.proxy.fault = () => undefined;
    await expect.poll(() => first.elector.epoch ?? 0, SOON).toBeGreaterThan(1);
    expect(overlaps(candidates.terms)).toEqual([]);
  });

  it('an event loop that stands still past the deadline has lost, and its next term has a new epoch', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()), PASSING);
    const { elector } = await candidates.add('a');
    await expect.poll(() => elector.isLeader, SOON).toBe(true);
    const term = elector.term;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PASSING.renewDeadlineMs + 50);
    expect(elector.isLeader).toBe(false);
    expect(term?.signal.aborted).toBe(true);
    await expect.poll(() => elector.epoch, SOON).toBe(2);
    expect(term?.isLive()).toBe(false);
    expect((await candidates.lease()).spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 2 });
  });

  it('lost answers and strange hands on the Lease do not end a term', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const { elector, proxy } = await candidates.add('a');
    await expect.poll(() => elector.isLeader, SOON).toBe(true);
    let lost = 0;
    proxy.fault = ({ method }) => {
      if (method !== 'PUT') return undefined;
      lost += 1;
      return lost % 3 === 1 ? 'cut-after' : undefined;
    };
    for (let count = 0; count < 5; count += 1) {
      await cluster().api.call('PATCH', candidates.path, {
        metadata: { annotations: { touched: String(count) } },
      });
      await pause(500);
    }
    await expect.poll(() => lost, SOON).toBeGreaterThan(4);
    // It is still renewed, not only not yet over.
    const { spec } = await candidates.lease();
    const renewTime = async (): Promise<string> => (await candidates.lease()).spec.renewTime;
    await expect.poll(renewTime, SOON).not.toBe(spec.renewTime);
    expect(candidates.terms).toHaveLength(1);
    expect(elector.isLeader).toBe(true);
    expect((await candidates.lease()).metadata.annotations).toMatchObject({ touched: '4' });
  });

  it('an acquisition whose answer is lost gives no term, and its epoch to nobody', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    await cluster().api.call('POST', candidates.path.replace(/\/[^/]+$/, ''), {
      metadata: { name: candidates.name },
      spec: { holderIdentity: '', leaseTransitions: 10 },
    });
    let puts = 0;
    const holder: { candidate?: Awaited<ReturnType<Candidates['add']>> } = {};
    holder.candidate = await candidates.add('a', {
      mayLead: () => {
        if (holder.candidate) {
          holder.candidate.proxy.fault = ({ method }) =>
            method === 'PUT' && ++puts === 1 ? 'cut-after' : undefined;
          return Promise.resolve();
        }
        return Promise.reject(new Error('the test is not ready'));
      },
    });
    await expect.poll(() => holder.candidate?.elector.epoch, SOON).toBe(12);
  });

  it('somebody takes the Lease by hand: the leader stands back', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()), PASSING);
    const { elector } = await candidates.add('a');
    await expect.poll(() => elector.isLeader, SOON).toBe(true);
    await cluster().api.call('PATCH', candidates.path, {
      spec: { holderIdentity: 'somebody', leaseTransitions: 7 },
    });
    await expect.poll(() => elector.isLeader, SOON).toBe(false);
    // Who does not renew loses it, to an epoch above all that were seen.
    await expect.poll(() => elector.epoch, SOON).toBe(8);
  });

  it('a Lease that was deleted ends the term; epochs go on above what was known', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const first = await candidates.add('a');
    await expect.poll(() => first.elector.isLeader, SOON).toBe(true);
    const second = await candidates.add('b', { knownEpoch: () => 41 });
    await expect.poll(() => second.elector.leader?.identity, SOON).toBe('a');
    await cluster().api.call('DELETE', candidates.path);
    // Whoever has seen it held waits as long as for a leader that vanished; only the holder itself may take it at once.
    await expect.poll(() => first.elector.epoch, SOON).toBe(2);
    expect(overlaps(candidates.terms)).toEqual([]);
    await first.elector.stop();
    await expect.poll(() => second.elector.epoch, SOON).toBe(42);
    expect(overlaps(candidates.terms)).toEqual([]);
  });

  it('a record with a later epoch than ours ends the term', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const { elector } = await candidates.add('a');
    await expect.poll(() => elector.epoch, SOON).toBe(1);
    elector.outranked(1);
    expect(elector.epoch).toBe(1);
    elector.outranked(20);
    expect(elector.isLeader).toBe(false);
    await expect.poll(() => elector.epoch, SOON).toBe(21);
  });

  it('a new term waits for what the last one was doing', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    let finish: (() => void) | undefined;
    const settled = (): Promise<void> => new Promise((resolve) => (finish = resolve));
    const { elector } = await candidates.add('a', { settled });
    await expect.poll(() => elector.epoch, SOON).toBe(1);
    elector.outranked(5);
    await expect.poll(() => finish, SOON).toBeDefined();
    await pause(500);
    expect(elector.isLeader).toBe(false);
    finish?.();
    await expect.poll(() => elector.epoch, SOON).toBe(6);
  });

  it('a listener that throws does not keep the others from knowing', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    const { elector } = await candidates.add('a', { mayLead: () => pause(200) });
    elector.onChange(() => {
      throw new Error('a bug');
    });
    const told: (number | undefined)[] = [];
    elector.onChange((term) => told.push(term?.epoch));
    await expect.poll(() => told, SOON).toEqual([1]);
    await elector.stop();
    expect(told).toEqual([1, undefined]);
    expect((await candidates.lease()).spec.holderIdentity).toBe('');
  });

  it('who must not lead does not, and leads when it may', async () => {
    const candidates = new Candidates(cluster(), await freshNamespace(cluster()));
    let allowed = false;
    const { elector, proxy } = await candidates.add('a', {
      mayLead: () => (allowed ? Promise.resolve() : Promise.reject(new Error('another engine'))),
    });
    await pause(1_000);
    expect(elector.isLeader).toBe(false);
    expect(proxy.requests.every(({ method }) => method === 'GET')).toBe(true);
    allowed = true;
    await expect.poll(() => elector.epoch, SOON).toBe(1);
  });
});
