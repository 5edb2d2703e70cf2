import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mockTopology, TestEngine } from '../../../test/support/engine.js';
import { parsePrometheus, valueOf } from '../../../test/support/prometheus.js';
import { mockControl } from '../providers/index.js';

let engine: TestEngine;
let database: Client;
beforeAll(async () => {
  // Short, and yet longer than a busy machine stands still.
  engine = await TestEngine.start({ config: { 'queue.leaseSeconds': 15 } });
  database = new Client({ connectionString: engine.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await engine.stop();
});

async function counted(name: string): Promise<number | undefined> {
  const answer = await fetch(`${engine.url}/metrics`, { headers: engine.authorization });
  return valueOf(parsePrometheus(await answer.text()), name);
}

async function untilCounted(name: string): Promise<void> {
  await engine.until(`${name} to rise`, async () => ((await counted(name)) ?? 0) > 0 || undefined);
}

test('lanes of a worker that is gone', async () => {
  expect(await counted('symphony_lanes_taken_over_total')).toBe(0);
  await database.query(
    `INSERT INTO workers (id, lease_until) VALUES ('gone', now() - interval '1 h');
     INSERT INTO lanes (kind, namespace, name, generation, deleting, cause, order_seq, worker)
     VALUES ('Instance', 'default', 'left', 1, false, 0, nextval('lane_order_seq'), 'gone')`,
  );
  await untilCounted('symphony_lanes_taken_over_total');
  expect(await counted('symphony_lanes_taken_over_total')).toBe(1);
});

test('a run whose lane somebody else has by now', async () => {
  const mock = mockControl('fenced');
  mock.set({ latencyMs: 1_000 });
  await engine.target('fenced', { topologies: mockTopology('fenced') });
  await engine.solution('fenced-v-1', [{ name: 'web' }]);
  await engine.instance('fenced', { solution: 'fenced:1', target: { name: 'fenced' } });
  await engine.until('the call to be under way', async () => mock.calls.length > 0 || undefined);
  expect(await counted('symphony_fenced_writes_total')).toBe(0);
  await database.query(`UPDATE lanes SET epoch = epoch + 1 WHERE name = 'fenced' AND worker IS NOT NULL`);
  await untilCounted('symphony_fenced_writes_total');
});

test('a lease that the store says has ended', async () => {
  expect(await counted('symphony_lease_losses_total')).toBe(0);
  await database.query(`DELETE FROM workers`);
  await untilCounted('symphony_lease_losses_total');
  expect(await counted('symphony_lease_losses_total')).toBe(1);
});
