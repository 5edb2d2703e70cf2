import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLAIM_STATEMENTS } from '../../../src/modes/standalone/stores/jobs/claims.js';
import { claimAll, openQueue, outcomeOf, type QueueFixture } from './support.js';

const ROWS = 100_000;

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('explain', { poolSize: 1 });
  await queue.database.query('ALTER TABLE lanes SET (autovacuum_enabled = false)');
  await queue.store.register('w', 600_000);
  // One connection prepares its statements while the table is empty, so that a plan made then is kept and met here.
  for (let i = 0; i < 12; i++) {
    await queue.order({ name: `early${i}` });
    for (const claim of await claimAll(queue, 'w', 2)) await queue.store.complete(claim, outcomeOf());
    await queue.store.nextDueMs(1_000);
    await queue.store.heartbeat('w', 600_000);
  }
  await queue.database.query(
    `INSERT INTO lanes (kind, namespace, name, generation, deleting, cause, order_seq, due_at)
     SELECT 'Instance', 'ns' || i % 20, 'n' || i, 1, false, i % 4, nextval('lane_order_seq'), now()
     FROM generate_series(1, $1::int) AS i`,
    [ROWS],
  );
});
afterAll(() => queue.close());

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows'?: number;
  Plans?: PlanNode[];
}

async function plansOf(text: string, values: unknown[]): Promise<PlanNode[]> {
  const [row] = await queue.database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
    values,
  );
  const flatten = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)];
  return row ? flatten(row['QUERY PLAN'][0].Plan) : [];
}

const onLanes = (nodes: PlanNode[]): string[] =>
  nodes
    .filter((node) => node['Relation Name'] === 'lanes' && node['Node Type'] !== 'ModifyTable')
    .map((n) => n['Node Type']);

test('every claim reads the lanes by index and sorts nothing, with 100,000 fresh rows and no ANALYZE', async () => {
  const [stats] = await queue.database.query<{ reltuples: number }>(
    `SELECT reltuples::float8 FROM pg_class WHERE relname = 'lanes'`,
  );
  expect(stats?.reltuples).toBe(-1);
  for (const { text } of CLAIM_STATEMENTS.fair) {
    const nodes = await plansOf(text, ['w', 8, true, '', '', '']);
    expect(onLanes(nodes)).not.toContain('Seq Scan');
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  }
  for (const { text } of CLAIM_STATEMENTS.oldest) {
    const nodes = await plansOf(text, ['w', 8, true]);
    expect(onLanes(nodes)).not.toContain('Seq Scan');
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  }
});

test('statements that were prepared on the empty table read no more of the full one', async () => {
  await queue.database.query(`SELECT pg_stat_reset_single_table_counters('lanes'::regclass)`);
  let done = 0;
  while (done < 300) {
    for (const claim of await claimAll(queue, 'w', 10)) {
      await queue.store.complete(claim, outcomeOf());
      done++;
    }
    await queue.store.nextDueMs(1_000);
    await queue.store.heartbeat('w', 600_000);
    await queue.order({ name: `n${done}` });
  }
  await queue.database.query('SELECT pg_stat_force_next_flush()').catch(() => undefined);
  const [stats] = await queue.database.query<{ seq_scan: string; seq_tup_read: string }>(
    `SELECT seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'lanes'`,
  );
  expect(Number(stats?.seq_tup_read)).toBe(0);
});
