import { SymphonyError } from '@symphony/model';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMPATIBILITY_TABLE, MIGRATIONS_TABLE } from './data-source.js';

/**
 * Replicas of two versions work on one database while an upgrade goes on, and a program may be started on a schema that is
 * newer than itself (it crashed meanwhile, or the upgrade is taken back). It cannot know what a later migration did, so each
 * migration leaves word in the database of who can live with it.
 *
 * The rule: a version only adds (tables, indexes, columns that may be left out), so that programs of the version before can
 * live with its schema. What is not used any more is taken away one version later, by a migration that names the programs
 * that have stopped using it.
 */
export interface Migration extends MigrationInterface {
  /**
   * Timestamp of the newest migration that a program must know to work on the schema that this one leaves. Left out: of
   * this one itself, so that no earlier program is let in.
   */
  readonly oldestProgram?: number;
  /**
   * The tables that it alters, when there are several. They are locked at its start, in the order in which everybody locks:
   * else it would hold one of them while runs wait for that one and hold another, again and again.
   */
  readonly tables?: readonly string[];
}

/** What transactions of the engine touch first; the order of all others does not matter. */
const LOCKED_FIRST = ['workers', 'objects', 'lanes'];

export type NewMigration = new () => Migration;

/** TypeORM's rule: the last 13 characters of a migration's name. */
export function timestampOf(name: string): number {
  return Number(name.slice(-13));
}

/** The name of a migration by its class; it has the same as its instances. */
export function migrationName({ name }: { name: string }): string {
  return name;
}

export async function prepareCompatibility(runner: QueryRunner): Promise<void> {
  // Asked for first: CREATE TABLE IF NOT EXISTS would say that it exists, each time, in the server's log.
  if (await exists(runner, COMPATIBILITY_TABLE)) return;
  await runner.query(`
    CREATE TABLE ${COMPATIBILITY_TABLE} (
      migration text CONSTRAINT ${COMPATIBILITY_TABLE}_pk PRIMARY KEY,
      oldest_program bigint NOT NULL
    )`);
}

/** The same migration, which takes its locks in order, and leaves word in its own transaction of who can live with it. */
export function recorded(change: NewMigration): NewMigration {
  // TypeORM goes by the names of classes where it compares, and by those of instances where it records.
  const named = {
    [change.name]: class extends change {
      override async up(runner: QueryRunner): Promise<void> {
        const { tables = [] } = this;
        if (tables.length > 0) {
          await runner.query(
            `LOCK TABLE ${[...tables].sort(byLockOrder).join(', ')} IN ACCESS EXCLUSIVE MODE`,
          );
        }
        await super.up(runner);
        await runner.query(
          `INSERT INTO ${COMPATIBILITY_TABLE} (migration, oldest_program) VALUES ($1, $2)
           ON CONFLICT (migration) DO UPDATE SET oldest_program = excluded.oldest_program`,
          [change.name, this.oldestProgram ?? timestampOf(change.name)],
        );
      }
    },
  };
  return named[change.name] ?? change;
}

function byLockOrder(a: string, b: string): number {
  const place = (table: string): number =>
    LOCKED_FIRST.includes(table) ? LOCKED_FIRST.indexOf(table) : LOCKED_FIRST.length;
  return place(a) - place(b);
}

/** Names of the migrations that have run, in their order. */
export async function appliedMigrations(runner: QueryRunner): Promise<string[]> {
  if (!(await exists(runner, MIGRATIONS_TABLE))) return [];
  const rows = (await runner.query(`SELECT name FROM ${MIGRATIONS_TABLE} ORDER BY id`)) as { name: string }[];
  return rows.map(({ name }) => name);
}

/**
 * Migrations of later versions that have run and leave a schema that this version can work on.
 * @param known names of all migrations of this version
 * @throws SymphonyError `DatabaseTooNew` when there is one that this version cannot live with
 */
export async function foreignMigrations(
  runner: QueryRunner,
  applied: readonly string[],
  known: readonly string[],
): Promise<string[]> {
  const foreign = applied.filter((name) => !known.includes(name));
  if (foreign.length === 0) return [];
  const rows = (await runner.query(
    `SELECT migration, oldest_program::float8 AS oldest FROM ${COMPATIBILITY_TABLE} WHERE migration = ANY ($1)`,
    [foreign],
  )) as { migration: string; oldest: number }[];
  const newest = Math.max(0, ...known.map(timestampOf));
  const bearable = new Set(rows.filter(({ oldest }) => oldest <= newest).map(({ migration }) => migration));
  const unbearable = foreign.filter((name) => !bearable.has(name));
  if (unbearable.length === 0) return foreign;
  throw new SymphonyError(
    'DatabaseTooNew',
    503,
    `The database was migrated by a newer version of this engine, in a way that this version cannot work with (it has ${unbearable.join(', ')}). ` +
      'Start that version or a later one, or restore a backup made before the upgrade.',
  );
}

async function exists(runner: QueryRunner, table: string): Promise<boolean> {
  const [row] = (await runner.query(`SELECT to_regclass('${table}') IS NOT NULL AS there`)) as {
    there: boolean;
  }[];
  return row?.there === true;
}
