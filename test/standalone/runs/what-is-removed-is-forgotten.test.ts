import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SummarySpec } from '@symphony/model';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { PostgresRunHistory } from '../../../src/modes/standalone/stores/runs/postgres-run-history.js';
import { mockControl } from '../../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../../support/engine.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const MONTH_MS = 720 * 3_600_000;
const PASSWORD = 'posted-in-the-open';

let testDatabase: TestDatabase;
let engine: TestEngine;
let source: DataSource;
let database: Database;
let history: PostgresRunHistory;

beforeAll(async () => {
  testDatabase = await createTestDatabase('forgotten');
  engine = await TestEngine.start({ databaseUrl: testDatabase.url });
  source = createDataSource({ url: testDatabase.url, poolSize: 2, applicationName: 'forgotten-test' });
  await source.initialize();
  database = new Database(source);
  history = new PostgresRunHistory(database);
});
afterAll(async () => {
  await source.destroy();
  await engine.stop();
  await testDatabase.drop();
});

function posted(name: string, jobID: string, more: object = {}): object {
  return {
    solutionName: `${name}-s`,
    solution: { spec: { components: [{ name: 'web', properties: { password: PASSWORD } }] } },
    instance: { metadata: { name }, spec: { scope: 'default' } },
    targets: { t1: { metadata: { name: 't1' }, spec: { topologies: mockTopology(`${name}-t1`) } } },
    assignments: { t1: '{web}' },
    jobID,
    ...more,
  };
}

const deploy = (name: string, jobID: string) =>
  engine.ok<SummarySpec>('POST', '/solution/reconcile', posted(name, jobID));
const remove = (name: string, jobID: string, more?: object) =>
  engine.ok<SummarySpec>('POST', '/solution/reconcile?delete=true', posted(name, jobID, more));

/** How many rows there are of a name, in each place that keeps some. */
async function traces(name: string): Promise<Record<string, number>> {
  const [row] = await database.query<Record<string, number>>(
    `SELECT (SELECT count(*) FROM lanes WHERE name = $1)::int AS lanes,
            (SELECT count(*) FROM lane_payloads p JOIN lanes l ON l.id = p.lane_id WHERE l.name = $1)::int AS payloads,
            (SELECT count(*) FROM lane_payloads p JOIN lanes l ON l.id = p.lane_id
              WHERE l.name = $1 AND p.deployment::text LIKE '%' || $2 || '%')::int AS passwords,
            (SELECT count(*) FROM summaries WHERE key = $1)::int AS summaries,
            (SELECT count(*) FROM target_health WHERE target_uid LIKE '%:' || $1 || '-t1%')::int AS health`,
    [name, PASSWORD],
  );
  return row ?? {};
}

/** Everything has become two months old. */
async function age(): Promise<void> {
  for (const [table, column] of [
    ['lanes', 'ordered_at'],
    ['summaries', 'written_at'],
    ['target_health', 'updated_at'],
  ])
    await database.query(`UPDATE ${table} SET ${column} = ${column} - interval '60 days'`);
}

it('what was posted goes with its removal, the password in it as well; how the removal ended can still be asked', async () => {
  await deploy('app', '1');
  expect(await traces('app')).toMatchObject({ passwords: 1 });
  expect(await remove('app', '2')).toMatchObject({ isRemoval: true, allAssignedDeployed: true });
  expect(await traces('app')).toMatchObject({ lanes: 1, passwords: 0, summaries: 1 });
  expect(await engine.summary('app')).toMatchObject({ state: 2, summary: { jobID: '2', isRemoval: true } });
  await history.prune(MONTH_MS, 100);
  await history.prune(0, 100);
  expect(await engine.summary('app')).toMatchObject({ state: 2 });
  // What comes late must not bring it back.
  expect(await engine.request('POST', '/solution/reconcile', posted('app', '1'))).toMatchObject({
    status: 400,
  });
  expect(mockControl('app-t1').contents).toEqual([]);
});

it('a name that was removed can be posted again, and is kept then', async () => {
  await deploy('again', '1');
  await remove('again', '2');
  await deploy('again', '3');
  expect(mockControl('again-t1').contents).toHaveLength(1);
  await age();
  await history.prune(MONTH_MS, 100);
  expect(await traces('again')).toMatchObject({ lanes: 1, payloads: 1, passwords: 1, summaries: 1 });
});

it('a removal that leaves something forgets nothing', async () => {
  await deploy('dry', '1');
  await remove('dry', '2', { isDryRun: true });
  expect(mockControl('dry-t1').contents).toHaveLength(1);
  await age();
  await history.prune(MONTH_MS, 100);
  expect(await traces('dry')).toMatchObject({ lanes: 1, summaries: 1 });
});

it('with the age of the history all of it goes, also what the targets of it said of themselves', async () => {
  await deploy('old', '1');
  await remove('old', '2');
  await database.query(
    `INSERT INTO target_health (target_uid, failures, reason, message) VALUES ('inline:default:old-t1', 1, 'ProviderFailed', '')`,
  );
  await age();
  await history.prune(MONTH_MS, 100);
  expect(await traces('old')).toEqual({ lanes: 0, payloads: 0, passwords: 0, summaries: 0, health: 0 });
  expect((await engine.request('GET', '/solution/queue?instance=old')).status).toBe(404);
});

it.each(['', '?orphan=true'])(
  'the summary of a stored instance goes with the age of the history, once it was deleted%s; not before',
  async (how) => {
    const name = how === '' ? 'stored' : 'orphaned';
    await engine.target(`${name}-t`, { topologies: mockTopology(name) });
    await engine.solution(`${name}-s`, [{ name: 'web' }]);
    await engine.instance(name, { solution: `${name}-s`, target: { name: `${name}-t` } });
    await engine.settled('instances', name);
    await age();
    await history.prune(MONTH_MS, 100);
    expect(await traces(name)).toMatchObject({ summaries: 1 });

    await engine.ok('DELETE', `/instances/${name}${how}`);
    await engine.gone('instances', name);
    expect(await traces(name)).toMatchObject({ summaries: 1 });
    await age();
    await history.prune(MONTH_MS, 100);
    expect(await traces(name)).toMatchObject({ lanes: 0, summaries: 0 });
  },
);
