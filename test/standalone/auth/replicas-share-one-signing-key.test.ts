import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDataSource } from '../../../src/modes/standalone/database/data-source.js';
import { Database } from '../../../src/modes/standalone/database/database.js';
import { migrate } from '../../../src/modes/standalone/database/migrate.js';
import { PostgresSigningKeyStore } from '../../../src/modes/standalone/stores/auth/signing-key-store.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

let database: TestDatabase;
const sources: DataSource[] = [];

async function connect(): Promise<Database> {
  const source = createDataSource({ url: database.url, poolSize: 2, applicationName: 'signing key' });
  await source.initialize();
  sources.push(source);
  return new Database(source);
}

beforeAll(async () => {
  database = await createTestDatabase('signing_key');
  await migrate((await connect()).dataSource);
});

afterAll(async () => {
  await Promise.all(sources.map((source) => source.destroy()));
  await database?.drop();
});

test('twenty replicas that start at once on an empty store get one key, and so does a later one', async () => {
  const replicas = await Promise.all(Array.from({ length: 20 }, connect));
  const keys = await Promise.all(replicas.map((sql) => new PostgresSigningKeyStore(sql).load()));
  const distinct = new Set(keys.map((key) => Buffer.from(key).toString('hex')));
  expect(distinct.size).toBe(1);
  expect(keys[0]).toHaveLength(32);
  const later = await new PostgresSigningKeyStore(await connect()).load();
  expect(Buffer.from(later).toString('hex')).toBe([...distinct][0]);
});

test('the table holds one key and none of another length', async () => {
  const sql = await connect();
  await expect(sql.query("INSERT INTO signing_keys (id, key) VALUES (2, '')")).rejects.toThrow(/check/);
  await expect(sql.query("UPDATE signing_keys SET key = '\\x00'")).rejects.toThrow(/check/);
});
