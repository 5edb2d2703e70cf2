import { expect, it } from 'vitest';
import { pause } from '../../../src/modes/k8s/client/index.js';
import { describeKubernetes, freshNamespace } from '../../support/control-plane/index.js';
import type { Fault, ProxiedRequest } from '../client/faulty-proxy.js';
import { Candidates, overlaps, QUICK, type Candidate } from './candidates.js';

const SECONDS = 25;
/** On a machine that is slow it goes on until leadership has changed often enough to be worth something. */
const MOST_SECONDS = 120;
const CHANGES = 4;
const SOON = { timeout: 30_000 };

describeKubernetes('three electors on one Lease', (cluster) => {
  it(
    `never lead together, whatever becomes of their requests, for ${SECONDS} s`,
    { timeout: 240_000 },
    async () => {
      const seed = Number(process.env['SYMPHONY_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
      const random = mulberry32(seed);
      const candidates = new Candidates(cluster(), await freshNamespace(cluster()), QUICK);
      for (const who of ['a', 'b', 'c']) {
        const { proxy } = await candidates.add(who);
        proxy.fault = (request) => faultOf(request, random);
      }
      const together: string[][] = [];
      const look = setInterval(() => {
        const leading = candidates.all.filter(({ elector }) => elector.isLeader);
        if (leading.length > 1) together.push(leading.map(({ terms }) => terms.at(-1)?.who ?? ''));
      }, 1);
      try {
        const began = performance.now();
        const passed = (seconds: number): boolean => performance.now() > began + seconds * 1000;
        while (!passed(SECONDS) || (candidates.terms.length <= CHANGES && !passed(MOST_SECONDS))) {
          await pause(200 + random() * 800);
          const leader = candidates.leading[0];
          if (leader) await harm(leader, random);
        }
      } finally {
        clearInterval(look);
      }
      const story = `seed ${seed}: ${JSON.stringify(candidates.terms)}`;
      expect(together, story).toEqual([]);
      expect(overlaps(candidates.terms), story).toEqual([]);
      expect(candidates.terms.length, story).toBeGreaterThan(CHANGES);
      // When the faults end, one of them leads, with the highest epoch.
      for (const { proxy } of candidates.all) proxy.fault = () => undefined;
      const lastLeads = (): boolean => {
        const [leader, ...others] = candidates.leading;
        return others.length === 0 && leader?.elector.epoch === candidates.terms.at(-1)?.epoch;
      };
      await expect.poll(() => candidates.leading.length > 0 && lastLeads(), SOON).toBe(true);
    },
  );
});

function faultOf({ watch, method }: ProxiedRequest, random: () => number): Fault | undefined {
  const dice = random();
  if (dice < 0.06) return 'cut-before';
  if (dice < 0.12 && !watch) return 'cut-after';
  if (dice < 0.16) return 'hang';
  if (dice < 0.24) return { delayMs: random() * QUICK.leaseMs };
  if (dice < 0.28) return { status: 500, body: { kind: 'Status', code: 500, reason: 'InternalError' } };
  if (dice < 0.3 && method === 'PUT') {
    return { status: 429, headers: { 'retry-after': '1' }, body: { kind: 'Status', code: 429 } };
  }
  return undefined;
}

/** What ends a term: the network of the leader, its process standing still, or nothing at all. */
async function harm({ proxy, elector }: Candidate, random: () => number): Promise<void> {
  const dice = random();
  if (dice < 0.4) {
    const fault = proxy.fault;
    proxy.fault = () => 'hang';
    await pause(QUICK.renewDeadlineMs + random() * QUICK.leaseMs);
    proxy.fault = fault;
  } else if (dice < 0.6) {
    proxy.down();
    await pause(QUICK.leaseMs * random() * 2);
    proxy.up();
  } else if (dice < 0.7) {
    elector.outranked((elector.epoch ?? 0) + 1);
  } else if (dice < 0.75) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, QUICK.renewDeadlineMs * 1.2);
  }
}

/** A small random generator with a seed: a failure can be played again. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
