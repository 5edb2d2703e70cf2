import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_JOB_MANAGER_OPTIONS } from '../../../src/modules/queue/index.js';
import { mockControl, type MockControl } from '../../../src/modules/providers/index.js';
import { copyInstance } from '../../bench/lib/fixtures.js';
import { makeDue } from '../../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../../support/engine.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const LANES = 10_000;
const { periodicPerSecond: RATE, concurrency: SLOTS } = DEFAULT_JOB_MANAGER_OPTIONS;
const HALF_HOUR = '30m';

let database: TestDatabase;
let client: Client;
let engine: TestEngine;
const site = mockControl('downtime');

const sql = async <T>(text: string, values: unknown[] = []): Promise<T[]> =>
  (await client.query(text, values)).rows as T[];

beforeAll(async () => {
  database = await createTestDatabase('downtime');
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await engine?.stop();
  await client?.end();
  await database?.drop();
});

const start = (): Promise<TestEngine> =>
  TestEngine.start({ databaseUrl: database.url, config: { 'queue.drainSeconds': 1 } });

const write = (name: string, rev: string): Promise<unknown> =>
  engine.instance(name, {
    solution: name === 'stored' ? 's' : name,
    target: { name: 't' },
    reconciliationPolicy: { state: 'active', interval: HALF_HOUR },
    parameters: { rev },
  });

/** Names of the owners in the order in which their runs looked at the target. */
const looks = (mock: MockControl): { name: string; at: number }[] =>
  mock.calls
    .filter(({ operation }) => operation === 'get')
    .map(({ owner, startedAt }) => ({ name: owner.split('/').at(-1) ?? '', at: startedAt }));

const isCopy = ({ name }: { name: string }): boolean => name.startsWith('stored-');

it(`${LANES} lanes overdue after two hours of downtime drain at a bounded rate, people are served at once, none is lost`, async () => {
  engine = await start();
  await engine.target('t', { topologies: mockTopology('downtime') });
  for (const name of ['s', 'waiting', 'late']) {
    await engine.solution(name, [
      { name, properties: { rev: "${{$param('rev')}}" }, parameters: { rev: '' } },
    ]);
  }
  for (const name of ['stored', 'waiting', 'late']) {
    await write(name, '1');
    await engine.settled('instances', name);
  }
  await engine.leave();
  await copyInstance({ sql }, 'stored', LANES, 0);
  await sql(`UPDATE lanes SET due_at = now() - random() * interval '2 hours' WHERE kind = 'Instance'`);
  // What a person ordered meanwhile, through another replica for example, is the newest order of all.
  await makeDue({ databaseUrl: database.url }, 'waiting');

  const seen = site.calls.length;
  const since = (): { name: string; at: number }[] => looks(site).slice(seenLooks);
  const seenLooks = looks(site).length;
  const begun = performance.now();
  engine = await start();
  await site.until(({ calls }) => calls.length >= seen + 3 * RATE, AbortSignal.timeout(40_000));
  // Of the first claim; those of the next one may overtake it on their way to the target.
  expect(since().findIndex(({ name }) => name === 'waiting')).toBeLessThan(2 * SLOTS);

  const at = performance.now();
  await write('late', '2');
  // However long a busy machine takes to answer: from then on the order is there.
  const runsBefore = since().length;
  await site.until(
    ({ contents }) => contents.some(({ name, properties }) => name === 'late' && properties?.rev === '2'),
    AbortSignal.timeout(40_000),
  );
  const served = since().findIndex((look) => look.name === 'late' && look.at > at);
  // Those that were under way, and those of one claim that was.
  expect(served - runsBefore).toBeLessThan(2 * SLOTS + RATE / 2);

  const drained = since().filter(isCopy);
  drained.forEach((look, index) => {
    // From before the start: a claim comes some time before the look that it leads to.
    const seconds = (look.at - begun) / 1000;
    // A second's worth at once, and one claim too many, which is waited for afterwards.
    expect(index).toBeLessThanOrEqual(RATE + seconds * RATE + 2 * SLOTS);
  });
  expect(drained.length).toBeLessThan(LANES / 2);

  await engine.leave();
  const looked = new Set(
    since()
      .filter(isCopy)
      .map((look) => look.name),
  );
  const rows = await sql<{ name: string; overdue: boolean; minutes: number | null; free: boolean }>(
    `SELECT name, due_at < now() AS overdue, worker IS NULL AS free,
            extract(epoch FROM due_at - now())::float8 / 60 AS minutes
     FROM lanes WHERE name LIKE 'stored-%'`,
  );
  // Each is free and due: those that have run in half an hour, all others still now.
  expect(rows).toHaveLength(LANES);
  expect(rows.filter(({ free, minutes }) => !free || minutes === null || minutes > 33)).toEqual([]);
  expect(rows.filter(({ name, overdue }) => !overdue && !looked.has(name))).toEqual([]);
  // The stop may have cut short what was under way, which is then due as before.
  const cut = rows.filter(({ name, overdue }) => overdue && looked.has(name)).length;
  expect(cut).toBeLessThanOrEqual(2 * SLOTS + RATE);
}, 180_000);
