// What the lanes in memory of Kubernetes mode cost, by their number: nothing that a run needs may grow with it. Processor time
// of this process, which nothing else on the machine is part of.
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryLanes, MemoryWaker, type KnownObject } from '../../src/modes/k8s/lanes/index.js';
import type { Claim, LaneKey, LaneOrder } from '../../src/modules/queue/index.js';
import { quick, say, table } from './lib/report.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const SIZES = quick ? [100, 1_000] : [1_000, 10_000, 100_000];
const RUNS = quick ? 500 : 10_000;
const BATCH = 16;
const NAMESPACES = 50;
const INTERVAL_MS = 1_800_000;
const HOUR_MS = 3_600_000;

say('lanes: the lanes in memory of Kubernetes mode, without what a run does');
say(`Machine   ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}`);

// The first round is slow until the code is compiled.
await measure(SIZES[0] ?? 1);
const rows = [];
for (const size of SIZES) rows.push(await measure(size));
table(
  [
    'lanes',
    'lead, ms',
    'order, us',
    'claim and complete, us',
    'next due, us',
    'first page, ms',
    'page in the middle, ms',
    'heap per lane, bytes',
  ],
  rows,
);

async function measure(size: number): Promise<number[]> {
  const keys = Array.from({ length: size }, (_, i): LaneKey => ({
    kind: 'Instance',
    namespace: `ns${i % NAMESPACES}`,
    name: `instance-${i}`,
  }));
  const lanes = new MemoryLanes({
    clock: { now: () => performance.now(), wallNow: () => Date.now() },
    waker: new MemoryWaker(),
    exists: () => true,
    write: () => Promise.resolve(false),
    dependentsOf: () => Promise.resolve({ items: [] }),
  });
  const known = keys.map((key): KnownObject => {
    const reason = { code: 'Succeeded', message: 'Everything is as declared.' } as const;
    return {
      ...key,
      generation: 1,
      action: 'update',
      intervalMs: INTERVAL_MS,
      last: { result: 'succeeded', reason },
    };
  });
  const before = heapBytes();
  const leadMs = await processorMs(async () => lanes.lead(1, known));
  const bytes = heapBytes() - before;
  await lanes.register('w', 1_000 * HOUR_MS);

  const orders = Array.from({ length: RUNS }, (_, i): LaneOrder => {
    const key = keys[(i * 7_919) % size] ?? { kind: 'Instance', namespace: 'none', name: 'none' };
    return { ...key, generation: 1, action: 'update', cause: i % 3 === 0 ? 'person' : 'dependent' };
  });
  const orderMs = await processorMs(async () => {
    for (const order of orders) await lanes.order([order]);
  });
  let runs = 0;
  const runMs = await processorMs(async () => {
    for (let claims = await claim(); claims.length > 0; claims = await claim()) {
      runs += claims.length;
      for (const item of claims) await complete(item);
    }
  });
  const nextMs = await processorMs(async () => {
    for (let i = 0; i < RUNS; i++) await lanes.nextDueMs(5_000);
  });
  const firstMs = await processorMs(() => lanes.list({ limit: 100 }));
  let next: string | undefined;
  for (let i = 0; i < size / 2; i += 1_000)
    next = (await lanes.list({ limit: 1_000, continue: next })).next ?? next;
  const pageMs = await processorMs(() => lanes.list({ limit: 100, continue: next }));
  return [
    size,
    leadMs,
    (orderMs / RUNS) * 1_000,
    (runMs / runs) * 1_000,
    (nextMs / RUNS) * 1_000,
    firstMs,
    pageMs,
    Math.max(0, bytes / size),
  ];

  function claim(): Promise<Claim[]> {
    return lanes.claim({ worker: 'w', limit: BATCH, periodic: true });
  }

  function complete(item: Claim): Promise<unknown> {
    const reason = { code: 'Succeeded', message: 'Everything is as declared.' } as const;
    return lanes.complete(item, { result: 'succeeded', reason, nextRunMs: INTERVAL_MS });
  }
}

async function processorMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
