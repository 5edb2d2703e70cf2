import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
// The types of inject('postgresAdminUrl').
import './postgres.setup.js';

/** A database of one test file's own. */
export interface TestDatabase {
  /** `postgresql://user:password@host:port/name` of a superuser. */
  url: string;
  name: string;
  /** Removes the database, ending whatever is still connected to it. */
  drop(): Promise<void>;
}

/**
 * Makes an isolated, empty database on the PostgreSQL of this test run.
 * @param label goes into the database's name, to tell them apart when looking at the server
 * @param template name of a database to copy (schema and rows); nobody may be connected to it
 */
export async function createTestDatabase(label = 'test', template = 'template0'): Promise<TestDatabase> {
  const name = `${label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 40)}_${randomBytes(6).toString('hex')}`;
  await onAdmin((client) => client.query(`CREATE DATABASE "${name}" TEMPLATE "${template}" ENCODING 'UTF8'`));
  const url = new URL(inject('postgresAdminUrl'));
  url.pathname = `/${name}`;
  return {
    url: url.href,
    name,
    drop: () => onAdmin((client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)),
  };
}

async function onAdmin(work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: inject('postgresAdminUrl') });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
