import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { EmbeddedPostgres, type Log } from '../../../src/modes/standalone/embedded/index.js';

const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // A bench reports figures; what fails rejects.
}

/** The product's own embedded PostgreSQL with the product's settings, in a scratch folder that goes with it. */
export interface BenchServer {
  connection: ClientConfig & { host: string; port: number; user: string; database: string };
  version: string;
  /** A statement on the one database. */
  sql<T>(text: string, values?: unknown[]): Promise<T[]>;
  stop(): Promise<void>;
}

export async function startServer(): Promise<BenchServer> {
  const root = await scratchFolder();
  const embedded = await EmbeddedPostgres.start({ dataDir: join(root, 'data'), logger: silent });
  const { connection } = embedded;
  const client = new Client(connection);
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  return {
    connection,
    version: rows[0]?.server_version ?? '?',
    sql: async <T>(text: string, values: unknown[] = []) => (await client.query(text, values)).rows as T[],
    async stop() {
      await client.end();
      await embedded.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export function scratchFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'symphony-bench-'));
}
