import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListQuery } from '../../../src/modules/state/index.js';
import { listStatement } from '../../../src/modes/standalone/stores/objects/list-query.js';
import { startStateApp, type StateApp } from './state-app.js';

let state: StateApp;

/** Enough that reading all of them would cost more than any index. */
const COUNT = 20_000;

beforeAll(async () => {
  state = await startStateApp('indexes');
  await state.database.query(
    `INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
     SELECT 'Instance', 'ns' || n % 10, 'i' || n, jsonb_build_object('app', 'a' || n % 1000, 'tier', 'web'), '{}',
            jsonb_build_object('solution', 's' || n % 1000, 'target', jsonb_build_object('name', 't' || n % 1000),
                               'displayName', 'd' || n)
       FROM generate_series(1, ${COUNT}) AS n`,
  );
  await state.database.query('INSERT INTO object_status (uid) SELECT uid FROM objects');
  await state.database.query('ANALYZE');
});
afterAll(() => state.close());

const equals = (key: string, value: string) => [{ key, operator: '=' as const, values: [value] }];

test.each<[string, Omit<ListQuery, 'kind'>]>([
  ['objects_key', { limit: 50 }],
  ['objects_key', { limit: 50, namespace: 'ns3' }],
  ['objects_labels', { limit: 50, labels: equals('app', 'a7') }],
  ['objects_labels', { labels: [{ key: 'app', operator: 'in', values: ['a7', 'a8'] }] }],
  ['objects_spec_solution', { limit: 50, fields: equals('spec.solution', 's7') }],
  ['objects_spec_target_name', { limit: 50, fields: equals('spec.target.name', 't7') }],
  ['objects_display_name', { fields: equals('spec.displayName', 'd7') }],
])('index %s serves %j', async (index, query) => {
  const after = query.limit === undefined ? undefined : { namespace: 'ns3', name: 'i5' };
  const { text, values } = listStatement({ kind: 'Instance', ...query }, after);
  const rows = await state.database.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain(index);
  expect(plan).not.toContain('Seq Scan on objects');
});
