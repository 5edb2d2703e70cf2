import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimAll, keyOf, openQueue, outcomeOf, type QueueFixture } from './support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('race', { poolSize: 8 });
});
afterAll(() => queue.close());

test('4,000 orders that race with the completion of their lane: each is covered or makes the lane due', async () => {
  const TRIES = 4_000;
  const LANES = 4;
  await queue.store.register('w', 600_000);
  let lost = 0;
  let again = 0;
  const race = async (name: string): Promise<void> => {
    await queue.order({ name });
    for (let i = 0; i < TRIES / LANES; i++) {
      const row = await queue.database.query<{ id: string; epoch: string; order_seq: string }>(
        `UPDATE lanes SET worker = 'w', epoch = epoch + 1, claimed_seq = order_seq, due_at = NULL
         WHERE name = $1 AND worker IS NULL RETURNING id, epoch, order_seq`,
        [name],
      );
      const lane = row[0];
      if (!lane) throw new Error('the lane is still held');
      const claim = {
        ...keyOf(name),
        fence: { laneId: lane.id, epoch: Number(lane.epoch) },
        seq: lane.order_seq,
        generation: 1,
        action: 'update' as const,
        cause: 'person' as const,
        attempts: 0,
        orderedAt: '',
        claimedAt: '',
      };
      const [result] = await Promise.all([
        queue.store.complete(claim, outcomeOf()),
        queue.order({ name, generation: i }),
      ]);
      if (result.again) again++;
      const [after] = await queue.database.query<{ waits: boolean }>(
        `SELECT worker IS NULL AND due_at <= now() AND order_seq > done_seq AS waits FROM lanes WHERE name = $1`,
        [name],
      );
      if (result.fenced || !after?.waits) lost++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => race(`n${i}`)));
  expect(lost).toBe(0);
  // Both orders of events happened, or nothing was tested.
  expect(again).toBeGreaterThan(TRIES / 100);
  expect(again).toBeLessThan(TRIES - TRIES / 100);
  await queue.clear();
});

test('eight workers never hold one lane at the same time, and every order is covered by a later run', async () => {
  const LANES = 20;
  const running = new Set<string>();
  const epochs = new Map<string, number>();
  const covered = new Map<string, bigint>();
  const violations: string[] = [];
  const stop = new AbortController();
  const work = async (worker: string): Promise<void> => {
    await queue.store.register(worker, 600_000);
    while (!stop.signal.aborted) {
      for (const claim of await claimAll(queue, worker, 3)) {
        const id = claim.fence.laneId;
        if (running.has(id)) violations.push(`${id} is claimed twice`);
        if ((epochs.get(id) ?? 0) >= claim.fence.epoch) violations.push(`${id} has an old epoch`);
        running.add(id);
        epochs.set(id, claim.fence.epoch);
        await Promise.resolve();
        running.delete(id);
        covered.set(id, BigInt(claim.seq));
        const result = await queue.store.complete(claim, outcomeOf());
        if (result.fenced) violations.push(`${id} was fenced`);
      }
    }
  };
  const workers = Array.from({ length: 8 }, (_, i) => work(`w${i}`));
  const write = async (seed: number): Promise<void> => {
    for (let i = 0; i < 60; i++) await queue.order({ name: `n${(seed * 7 + i) % LANES}`, generation: i });
  };
  // 64 writers of the same lanes, each order in a transaction of its own.
  await Promise.all(Array.from({ length: 64 }, (_, i) => write(i)));
  const deadline = performance.now() + 20_000;
  for (;;) {
    const [row] = await queue.database.query<{ open: number }>(
      'SELECT count(*)::int AS open FROM lanes WHERE done_seq < order_seq',
    );
    if (row?.open === 0 || performance.now() > deadline) break;
  }
  stop.abort();
  await Promise.all(workers);
  const lanes = await queue.database.query<{ id: string; order_seq: string }>(
    'SELECT id, order_seq FROM lanes',
  );
  expect(lanes).toHaveLength(LANES);
  for (const lane of lanes) expect(covered.get(lane.id)).toBe(BigInt(lane.order_seq));
  expect(violations).toEqual([]);
});

test('batches of orders and completions in any order of names do not deadlock', async () => {
  await queue.clear();
  await queue.store.register('w', 600_000);
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
  const shuffled = (seed: number): string[] => names.toSorted((a, b) => hash(a, seed) - hash(b, seed));
  const stop = new AbortController();
  const worker = (async () => {
    while (!stop.signal.aborted) {
      const claims = await claimAll(queue, 'w', 12);
      await Promise.all(claims.map((claim) => queue.store.complete(claim, outcomeOf())));
    }
  })();
  const deadlocks = await queue.database.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  await Promise.all(
    Array.from({ length: 64 }, async (_, seed) => {
      for (let i = 0; i < 5; i++) await queue.order(...shuffled(seed * 31 + i).map((name) => ({ name })));
    }),
  );
  stop.abort();
  await worker;
  expect(
    await queue.database.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'),
  ).toEqual(deadlocks);
});

function hash(text: string, seed: number): number {
  let value = seed;
  for (const char of text) value = Math.imul(value ^ char.charCodeAt(0), 16_777_619);
  return value;
}
