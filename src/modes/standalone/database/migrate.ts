import { setTimeout as delay } from 'node:timers/promises';
import { SymphonyError, UnavailableError } from '@symphony/model';
import { DataSource, MigrationExecutor, type Logger, type QueryRunner } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import {
  appliedMigrations,
  foreignMigrations,
  migrationName,
  prepareCompatibility,
  recorded,
  type NewMigration,
} from './compatibility.js';
import { MIGRATIONS } from './migrations/index.js';

/** Any constant: what holds this advisory lock migrates this database. */
const LOCK_KEY = '7317245810066290';
const DEFAULT_LOCK_WAIT_MS = 120_000;
const OLDEST_SERVER = 14;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
/**
 * A migration that waits for a table's lock holds up everybody who comes after it: it gives way, and tries again. Sooner than
 * PostgreSQL looks for deadlocks (1 s by default), so that it is the migration that gives way in one, and not a run.
 */
const TABLE_LOCK_MS = 500;
const BETWEEN_TRIES_MS = 500;

export interface MigrateOptions {
  /** How long to wait while another replica migrates, or for a table that somebody holds on to, in milliseconds. */
  lockWaitMs?: number;
  /** Told the names of migrations of later versions that have run, where this version can live with them. */
  onAhead?: (names: readonly string[]) => void;
}

/**
 * Brings the schema up to date, each migration in its own transaction. Replicas that start together queue up on an
 * advisory lock; one migrates, the others find nothing to do. Engines of the version before may work on the database
 * meanwhile, and afterwards.
 * @returns the names of the migrations that ran here
 * @throws SymphonyError `DatabaseTooNew`, `DatabaseTooOld`; UnavailableError `MigrationLocked` when the wait was in vain
 */
export async function migrate(dataSource: DataSource, options: MigrateOptions = {}): Promise<string[]> {
  const waitMs = options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS;
  const own = unlimited(dataSource);
  await own.initialize();
  const runner = own.createQueryRunner();
  try {
    await refuseOldServer(runner);
    await lock(runner, waitMs);
    await prepareCompatibility(runner);
    const before = await appliedMigrations(runner);
    const ahead = await foreignMigrations(runner, before, knownMigrations(own));
    if (ahead.length > 0) options.onAhead?.(ahead);
    await runPending(own, runner, waitMs);
    return (await appliedMigrations(runner)).filter((name) => !before.includes(name));
  } finally {
    // The lock belongs to the session and ends with it.
    await runner.release();
    await own.destroy();
  }
}

/** All of this version, also where a restore runs only some of them. */
function knownMigrations(own: DataSource): string[] {
  return [
    ...new Set(
      [...MIGRATIONS, ...own.migrations.map((migration) => migration.constructor)].map(migrationName),
    ),
  ];
}

async function runPending(own: DataSource, runner: QueryRunner, waitMs: number): Promise<void> {
  await runner.query(`SET lock_timeout = ${TABLE_LOCK_MS}`);
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      const executor = new MigrationExecutor(own, runner);
      executor.transaction = 'each';
      await executor.executePendingMigrations();
      return;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK) throw error;
      if (performance.now() > deadline) {
        throw new UnavailableError(
          `The schema cannot be brought up to date, because somebody has held on to a table for more than ${Math.ceil(waitMs / 1000)} seconds: ` +
            'a backup or an open transaction of another program, most likely (see pg_stat_activity). End it, and start again.',
          'MigrationLocked',
        );
      }
    }
    // What ran stays; the next try goes on from there.
    await delay(BETWEEN_TRIES_MS * (0.5 + Math.random()));
  }
}

/** TypeORM's own tells of each migration on the terminal, past the log. */
const SILENT: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

/**
 * One connection of its own to the same database, without limits that would cut off a migration of much data; its
 * migrations leave word of who can live with them.
 */
function unlimited(dataSource: DataSource): DataSource {
  const options = dataSource.options as PostgresDataSourceOptions;
  const extra = { ...(options.extra as Record<string, unknown>), statement_timeout: 0, query_timeout: 0 };
  const migrations = Object.values(options.migrations ?? []).map((change) =>
    recorded(change as NewMigration),
  );
  return new DataSource({ ...options, poolSize: 1, extra, migrations, logger: SILENT });
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
