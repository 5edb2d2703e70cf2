import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { MIGRATIONS } from '../../../src/modes/standalone/database/migrations/index.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

let database: TestDatabase;
const open: DataSource[] = [];

beforeEach(async () => {
  database = await createTestDatabase('migrations');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.destroy()));
  await database.drop();
});

async function connect(name = 'test'): Promise<DataSource> {
  const source = createDataSource({ url: database.url, poolSize: 4, applicationName: name });
  await source.initialize();
  open.push(source);
  return source;
}

/** Every table, column, index, constraint and sequence, as text. */
async function schemaOfDatabase(source: DataSource): Promise<unknown> {
  return source.query(`
    SELECT c.relkind::text, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid) AS default, pg_get_indexdef(c.oid) AS index
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     ORDER BY 1, 2, a.attnum`);
}

test('replicas that start together migrate once, all of them successfully', async () => {
  const sources = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(connect));
  const ran = await Promise.all(sources.map((source) => migrate(source)));
  expect(ran.filter((names) => names.length > 0)).toEqual([MIGRATIONS.map((migration) => migration.name)]);
});

test('a second run changes nothing', async () => {
  const source = await connect();
  await migrate(source);
  const before = await schemaOfDatabase(source);
  expect(await migrate(source)).toEqual([]);
  expect(await schemaOfDatabase(source)).toEqual(before);
});

test('what is undone can be done again, to the same schema', async () => {
  const source = await connect();
  await migrate(source);
  const before = await schemaOfDatabase(source);
  for (const _ of MIGRATIONS) await source.undoLastMigration();
  await migrate(source);
  expect(await schemaOfDatabase(source)).toEqual(before);
});

test('a database of a newer version is refused and left alone', async () => {
  const source = await connect();
  await migrate(source);
  await source.query(`INSERT INTO schema_migration (timestamp, name) VALUES (9999999999999, 'Future1')`);
  await expect(migrate(source)).rejects.toMatchObject({
    code: 'DatabaseTooNew',
    message: expect.stringContaining('Future1') as string,
  });
});

test('the wait for another replica has a deadline and says what to do', async () => {
  const other = await connect('other');
  const source = await connect();
  const holder = other.createQueryRunner();
  await holder.query('SELECT pg_advisory_lock(7317245810066290)');
  await expect(migrate(source, { lockWaitMs: 200 })).rejects.toMatchObject({ code: 'MigrationLocked' });
  await holder.query('SELECT pg_advisory_unlock(7317245810066290)');
  await holder.release();
  await migrate(source, { lockWaitMs: 10_000 });
});

test('connections cut by the server in mid-transaction are errors of their callers, not the end of the process', async () => {
  const source = await connect('to-be-cut');
  const db = new Database(source);
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  const cut = db.transaction(async (tx) => {
    await tx.query('SELECT 1');
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'to-be-cut'`,
    );
    // Nobody listens at this moment: the connection ends between two queries.
    await admin.query('SELECT pg_sleep(0.05)');
    await tx.query('SELECT 1');
  });
  await expect(cut).rejects.toThrow();
  await admin.end();
  expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});
