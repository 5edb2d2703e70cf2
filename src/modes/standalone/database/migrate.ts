import { SymphonyError, UnavailableError } from '@symphony/model';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { MIGRATIONS_TABLE } from './data-source.js';
import { MIGRATIONS } from './migrations/index.js';

/** Any constant: what holds this advisory lock migrates this database. */
const LOCK_KEY = '7317245810066290';
const DEFAULT_LOCK_WAIT_MS = 120_000;
const OLDEST_SERVER = 14;
const LOCK_NOT_AVAILABLE = '55P03';

export interface MigrateOptions {
  /** How long to wait while another replica migrates, in milliseconds. */
  lockWaitMs?: number;
}

/**
 * Brings the schema up to date, each migration in its own transaction. Replicas that start together queue up on an
 * advisory lock; one migrates, the others find nothing to do.
 * @returns the names of the migrations that ran here
 * @throws SymphonyError `DatabaseTooNew`, `DatabaseTooOld`; UnavailableError `MigrationLocked` when the wait was in vain
 */
export async function migrate(dataSource: DataSource, options: MigrateOptions = {}): Promise<string[]> {
  const own = unlimited(dataSource);
  await own.initialize();
  const runner = own.createQueryRunner();
  try {
    await refuseOldServer(runner);
    await lock(runner, options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS);
    await refuseNewerSchema(runner);
    const executor = new MigrationExecutor(own, runner);
    executor.transaction = 'each';
    const ran = await executor.executePendingMigrations();
    return ran.map((migration) => migration.name);
  } finally {
    // The lock belongs to the session and ends with it.
    await runner.release();
    await own.destroy();
  }
}

/** One connection of its own to the same database, without limits that would cut off a migration of much data. */
function unlimited(dataSource: DataSource): DataSource {
  const options = dataSource.options as PostgresDataSourceOptions;
  const extra = { ...(options.extra as Record<string, unknown>), statement_timeout: 0, query_timeout: 0 };
  return new DataSource({ ...options, poolSize: 1, extra });
}

async function lock(runner: QueryRunner, waitMs: number): Promise<void> {
  await runner.query(`SET lock_timeout = ${Math.max(1, Math.floor(waitMs))}`);
  try {
    await runner.query(`SELECT pg_advisory_lock(${LOCK_KEY})`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
    throw new UnavailableError(
      `Another process has been migrating this database for more than ${Math.ceil(waitMs / 1000)} seconds. ` +
        'Wait until it has finished, or end it, and start again.',
      'MigrationLocked',
    );
  }
  await runner.query('RESET lock_timeout');
}

async function refuseOldServer(runner: QueryRunner): Promise<void> {
  const rows = (await runner.query('SHOW server_version_num')) as { server_version_num: string }[];
  const major = Math.floor(Number(rows[0]?.server_version_num ?? 0) / 10_000);
  if (major >= OLDEST_SERVER) return;
  throw new SymphonyError(
    'DatabaseTooOld',
    503,
    `The database server is PostgreSQL ${major}; this engine needs ${OLDEST_SERVER} or later. Upgrade the server, or point database-url at another.`,
  );
}

async function refuseNewerSchema(runner: QueryRunner): Promise<void> {
  const found = (await runner.query(`SELECT to_regclass('${MIGRATIONS_TABLE}') AS name`)) as {
    name: string | null;
  }[];
  if (!found[0]?.name) return;
  const known = new Set(MIGRATIONS.map((migration) => migration.name));
  const applied = (await runner.query(`SELECT name FROM ${MIGRATIONS_TABLE} ORDER BY id`)) as {
    name: string;
  }[];
  const unknown = applied.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new SymphonyError(
    'DatabaseTooNew',
    503,
    `The database was migrated by a newer version of this engine (it has ${unknown.join(', ')}). ` +
      'Start that version or a later one, or restore a backup made before the upgrade.',
  );
}
