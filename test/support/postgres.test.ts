import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './postgres.js';

test('each test file gets a database of its own, which is gone after drop', async () => {
  const [first, second] = await Promise.all([createTestDatabase('one'), createTestDatabase('one')]);
  const client = new Client({ connectionString: first.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('CREATE TABLE t (a int)');
  const other = new Client({ connectionString: second.url });
  await other.connect();
  expect((await other.query("SELECT to_regclass('t') AS found")).rows).toEqual([{ found: null }]);
  await other.end();
  await first.drop();
  await second.drop();
  await expect(new Client({ connectionString: first.url }).connect()).rejects.toThrow('does not exist');
});
