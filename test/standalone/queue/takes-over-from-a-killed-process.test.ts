import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { FencedError } from '../../../src/modules/queue/index.js';
import { assertFence } from '../../../src/modes/standalone/stores/jobs/index.js';
import { CREATE_DIARY, keepDiary, overlaps } from './diary.js';
import { startManager } from './manager.js';
import { claimAll, openQueue, outcomeOf, until, type QueueFixture } from './support.js';

const HOOKS = fileURLToPath(new URL('../../support/typescript-hooks.mjs', import.meta.url));
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const JOBS = 200;

let queue: QueueFixture;
const children: ChildProcess[] = [];
const managers: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  queue = await openQueue('takeover');
  await queue.database.query(CREATE_DIARY);
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  await queue.database.query('TRUNCATE diary');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(managers.splice(0).map((manager) => manager.stop()));
});

async function startChild(
  worker: string,
  runMs: number,
  concurrency: number,
  leaseMs?: number,
): Promise<ChildProcess> {
  const args = ['--import', HOOKS, CHILD, queue.url, worker, String(runMs), String(concurrency)];
  const env = { ...process.env, ...(leaseMs === undefined ? {} : { LEASE_MS: String(leaseMs) }) };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  if (child.stdout) await once(child.stdout, 'data');
  return child;
}

async function killed(child: ChildProcess): Promise<Date> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  const [row] = await queue.database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  if (!row) throw new Error('no clock');
  return row.now;
}

const count = async (condition: string): Promise<number> => {
  const [row] = await queue.database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${condition}`);
  return row?.n ?? 0;
};
const jobs = Array.from({ length: JOBS }, (_, i) => ({ name: `n${i}`, namespace: `ns${i % 7}` }));

test('200 jobs in flight when the process is killed: another runs all of them within the lease and some seconds, none beside another', async () => {
  await queue.order(...jobs);
  const child = await startChild('first', 600_000, JOBS);
  await until(
    'in flight',
    () => count('diary'),
    (n) => n === JOBS,
  );
  const second = startManager(
    queue.store,
    keepDiary(queue.database, 'second', 1, () => outcomeOf()),
    {
      concurrency: 50,
    },
  );
  managers.push(second);
  const killedAt = await killed(child);
  const began = performance.now();
  await until(
    'taken over',
    () => count('lanes WHERE done_seq = order_seq'),
    (n) => n === JOBS,
  );
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await count("diary WHERE worker = 'second'")).toBe(JOBS);
  expect(await overlaps(queue.database, killedAt)).toEqual([]);
});

test('where nobody else can have the store, a new process goes on at once', async () => {
  await queue.order(...jobs.slice(0, 20));
  const child = await startChild('first', 600_000, JOBS, 60_000);
  await until(
    'in flight',
    () => count('diary'),
    (n) => n === 20,
  );
  const killedAt = await killed(child);
  const began = performance.now();
  managers.push(
    startManager(
      queue.store,
      keepDiary(queue.database, 'second', 1, () => outcomeOf()),
      { sole: true },
    ),
  );
  await until(
    'taken over',
    () => count('lanes WHERE done_seq = order_seq'),
    (n) => n === 20,
  );
  // Far less than the lease that the killed one had.
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await overlaps(queue.database, killedAt)).toEqual([]);
});

test('two processes share the work, and one that is killed and started again loses none of it', async () => {
  const children = await Promise.all([startChild('a', 5, 8), startChild('b', 5, 8)]);
  managers.push(
    startManager(
      queue.store,
      keepDiary(queue.database, 'c', 5, () => outcomeOf()),
    ),
  );
  const write = async (): Promise<void> => {
    for (let round = 0; round < 5; round++) await queue.order(...jobs);
  };
  await write();
  await until(
    'shared',
    () => count("diary WHERE worker IN ('a', 'b')"),
    (n) => n > 0,
  );
  const [first] = children;
  if (!first) throw new Error('no child');
  const killedAt = await killed(first);
  await startChild('a2', 5, 8);
  await write();
  await until(
    'all done',
    () => count('lanes WHERE done_seq < order_seq'),
    (n) => n === 0,
    30_000,
  );
  expect(await overlaps(queue.database, killedAt)).toEqual([]);
});

test('what a worker writes after its lanes were taken over is refused as a whole', async () => {
  const written: string[] = [];
  const late = await openQueue('fenced', {
    write: async (tx, claim) => {
      written.push(claim.name);
      await tx.query('SELECT 1');
    },
  });
  try {
    await late.order({ name: 'a' });
    await late.store.register('w', 1);
    await late.database.query("UPDATE workers SET lease_until = now() + interval '1 minute'");
    const [claim] = await claimAll(late, 'w');
    if (!claim) throw new Error('not claimed');
    const record = { summary: { key: 'a', generation: '1', deploymentHash: '', summary: {} as never } };
    await late.database.query("UPDATE workers SET lease_until = now() - interval '1 s'");
    expect(await late.store.takeOver(5_000)).toBe(0);
    expect(await late.store.takeOver(500)).toBe(1);

    // Freed, and not yet claimed by anybody.
    expect(await late.store.complete(claim, outcomeOf(record))).toEqual({ fenced: true, again: false });
    expect(await late.store.complete(claim, outcomeOf())).toEqual({ fenced: true, again: false });
    await expect(late.database.transaction((tx) => assertFence(tx, claim.fence))).rejects.toThrow(
      FencedError,
    );

    await late.store.register('w2', 60_000);
    const [next] = await claimAll(late, 'w2');
    expect(next).toMatchObject({ name: 'a', seq: claim.seq, cause: 'person' });
    expect(next?.fence.epoch).toBeGreaterThan(claim.fence.epoch);
    expect(await late.store.complete(claim, outcomeOf(record))).toEqual({ fenced: true, again: false });
    expect(written).toEqual([]);
    if (!next) throw new Error('not claimed');
    await late.database.transaction((tx) => assertFence(tx, next.fence));
    expect(await late.store.complete(next, outcomeOf(record))).toEqual({ fenced: false, again: false });
    expect(written).toEqual(['a']);
    await expect(late.store.heartbeat('w', 1)).rejects.toThrow('lease');
  } finally {
    await late.close();
  }
});
