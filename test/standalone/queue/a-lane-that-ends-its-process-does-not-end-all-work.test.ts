import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CREATE_DIARY } from './diary.js';
import { claimAll, keyOf, openQueue, outcomeOf, type QueueFixture } from './support.js';

const HOOKS = fileURLToPath(new URL('../../support/typescript-hooks.mjs', import.meta.url));
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const INNOCENT = 20;
const RUN_MS = 200;

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('poison');
  await queue.database.query(CREATE_DIARY);
});
afterAll(() => queue.close());
beforeEach(() => queue.clear());

async function done(): Promise<number> {
  const [row] = await queue.database.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM lanes WHERE done_seq = order_seq AND name <> 'poison'`,
  );
  return row?.n ?? 0;
}

/** Runs an engine until it ends, or until all innocent work is done. @returns whether it ended by itself */
async function runOnce(): Promise<boolean> {
  const args = ['--import', HOOKS, CHILD, queue.url, 'w', String(RUN_MS), '50', 'poison'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = once(child, 'exit').then(() => true);
  const look = async (): Promise<boolean> => {
    while (child.exitCode === null && child.signalCode === null) {
      if ((await done()) === INNOCENT) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  };
  const ended = await Promise.race([exit, look()]);
  child.kill('SIGKILL');
  await exit;
  return ended;
}

test('a lane whose run kills the process is left alone for longer and longer; what else was at work gets done meanwhile', async () => {
  await queue.order(
    { name: 'poison' },
    ...Array.from({ length: INNOCENT }, (_, i) => ({ name: `innocent-${i}` })),
  );
  // As a supervisor does: started again whenever it ends.
  let crashes = 0;
  while (await runOnce()) if (++crashes > 12) throw new Error('it goes on and on');

  expect(crashes).toBeGreaterThanOrEqual(2);
  const poison = await queue.store.find(keyOf('poison'));
  expect(poison).toMatchObject({ reason: 'Interrupted', cause: 'person', doneSeq: '0' });
  expect(['waiting', 'running']).toContain(poison?.state);
  expect(poison?.attempts).toBe(crashes);
}, 120_000);

/** Claims everything, and vanishes: the lanes are taken over. */
async function vanish(worker: string): Promise<string[]> {
  await queue.database.query('UPDATE lanes SET due_at = now() WHERE worker IS NULL');
  await queue.store.register(worker, 60_000);
  const claims = await claimAll(queue, worker);
  await queue.database.query(`UPDATE workers SET lease_until = now() - interval '1 min' WHERE id = $1`, [
    worker,
  ]);
  await queue.store.takeOver(0);
  return claims.map(({ name }) => name);
}

async function waitOf(name: string): Promise<number> {
  const lane = await queue.store.find(keyOf(name));
  return Math.max(0, Date.parse(lane?.dueAt ?? '') - Date.now());
}

test('the first time its lane is due at once, then after a growing time; any outcome and any new order end that', async () => {
  await queue.order({ name: 'a' });
  expect(await vanish('w1')).toEqual(['a']);
  expect(await waitOf('a')).toBe(0);

  for (let time = 2; time <= 9; time++) expect(await vanish(`w${time}`)).toEqual(['a']);
  expect((await queue.store.find(keyOf('a')))?.attempts).toBe(9);
  // Between one second and 2 s * 2^8.
  expect(await waitOf('a')).toBeGreaterThan(500);

  await queue.order({ name: 'a' });
  expect(await waitOf('a')).toBe(0);
  await queue.store.register('well', 60_000);
  const [claim] = await claimAll(queue, 'well');
  if (!claim) throw new Error('not claimed');
  await queue.store.complete(claim, outcomeOf());
  expect(await queue.store.find(keyOf('a'))).toMatchObject({ attempts: 0, reason: 'Succeeded' });
  await queue.order({ name: 'a' });
  expect(await vanish('w10')).toEqual(['a']);
  expect(await waitOf('a')).toBe(0);
});

test('what was ordered while the process vanished does not wait', async () => {
  await queue.order({ name: 'a' });
  await vanish('w1');
  await queue.store.register('w2', 60_000);
  await claimAll(queue, 'w2');
  await queue.order({ name: 'a' });
  await queue.database.query(`UPDATE workers SET lease_until = now() - interval '1 min'`);
  await queue.store.takeOver(0);
  expect(await waitOf('a')).toBe(0);
});

test('an engine that ends in order counts nothing', async () => {
  await queue.order({ name: 'a' });
  await queue.store.register('w', 60_000);
  await claimAll(queue, 'w');
  await queue.store.retire('w');
  expect(await queue.store.find(keyOf('a'))).toMatchObject({ attempts: 0, state: 'waiting' });
});
