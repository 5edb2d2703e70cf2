import type { ClientBase } from 'pg';
import { COMPATIBILITY_TABLE, MIGRATIONS_TABLE } from '../../database/data-source.js';
import type { SequencePart, TablePart } from './format.js';

/** What makes values come out, and go in, as the same text on every server, whatever its configuration. */
export const PORTABLE_SETTINGS = [
  `SET LOCAL client_encoding = 'UTF8'`,
  `SET LOCAL datestyle = 'ISO, YMD'`,
  `SET LOCAL intervalstyle = 'postgres'`,
  `SET LOCAL timezone = 'UTC'`,
  `SET LOCAL bytea_output = 'hex'`,
  `SET LOCAL extra_float_digits = 3`,
  `SET LOCAL statement_timeout = 0`,
  `SET LOCAL idle_in_transaction_session_timeout = 0`,
] as const;

/** A name as SQL takes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The tables of the engine's schema with the columns that hold data (no generated ones), referenced tables before
 * those that refer to them. The records of migrations are left out: migrations write them themselves.
 */
export async function listTables(client: ClientBase): Promise<TablePart[]> {
  const { rows: tables } = await client.query<TablePart>(
    `SELECT c.relname AS "table",
            array_agg(a.attname::text ORDER BY a.attnum) AS columns
       FROM pg_class c
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relpersistence <> 't'
        AND c.relname <> ALL ($1)
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      GROUP BY c.relname
      ORDER BY c.relname COLLATE "C"`,
    [[MIGRATIONS_TABLE, COMPATIBILITY_TABLE]],
  );
  const { rows: references } = await client.query<{ from: string; to: string }>(
    `SELECT f.relname AS "from", t.relname AS "to"
       FROM pg_constraint k
       JOIN pg_class f ON f.oid = k.conrelid
       JOIN pg_class t ON t.oid = k.confrelid
      WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND k.connamespace = current_schema()::regnamespace`,
  );
  return inOrder(tables, references);
}

/**
 * The sequences of the engine's schema, where they stand, but for that of the record of migrations. Not part of a snapshot: never
 * behind the tables.
 */
export async function listSequences(client: ClientBase): Promise<SequencePart[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c
      WHERE c.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace AND c.relpersistence <> 't'
        AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid AND t.relname = $1
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                           AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
      ORDER BY c.relname COLLATE "C"`,
    [MIGRATIONS_TABLE],
  );
  const parts: SequencePart[] = [];
  for (const { name } of rows) {
    const { rows: at } = await client.query<{ lastValue: string; isCalled: boolean }>(
      `SELECT last_value::text AS "lastValue", is_called AS "isCalled" FROM ${quoted(name)}`,
    );
    for (const position of at) parts.push({ sequence: name, ...position });
  }
  return parts;
}

/** Names of the schema migrations that have run, in their order; none in an empty database. */
export async function listMigrations(client: ClientBase): Promise<string[]> {
  const { rows: found } = await client.query<{ there: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS there',
    [quoted(MIGRATIONS_TABLE)],
  );
  if (found[0]?.there !== true) return [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM ${quoted(MIGRATIONS_TABLE)} ORDER BY id`,
  );
  return rows.map((row) => row.name);
}

/** Tables that refer to each other in a circle come last; their references have to be deferrable. */
function inOrder(
  tables: readonly TablePart[],
  references: readonly { from: string; to: string }[],
): TablePart[] {
  const waiting = new Map(tables.map((table) => [table.table, table]));
  const order: TablePart[] = [];
  for (let moved = true; moved;) {
    moved = false;
    for (const [name, table] of waiting) {
      if (references.some(({ from, to }) => from === name && waiting.has(to))) continue;
      order.push(table);
      waiting.delete(name);
      moved = true;
    }
  }
  return [...order, ...waiting.values()];
}
