import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { ConflictError } from '@symphony/model';
import type { ClientBase } from 'pg';
import { listMigrations, listTables, PORTABLE_SETTINGS, quoted } from './catalog.js';
import { copyIn } from './copy.js';
import {
  checkBackupFile,
  readBackupFile,
  type BackupHeader,
  type SequencePart,
  type TablePart,
} from './format.js';

export interface RestoreOptions {
  /**
   * Makes the schema that the backup was taken of: runs exactly the migrations of these names, and none that have
   * run. The later ones run when the engine starts.
   */
  migrate: (names: readonly string[]) => Promise<void>;
  /** Replace what the database holds. Without it, a database that holds anything is refused. */
  force?: boolean;
}

/**
 * Puts a backup back, in one transaction: all of it, or nothing. The whole file is checked first. No engine may work on
 * the database meanwhile.
 * @param client a connection of its own, used for nothing else meanwhile
 * @returns the header of the backup
 * @throws InvalidInputError `BackupDamaged`; ConflictError `DatabaseNotEmpty`, `BackupSchemaMismatch`
 */
export async function restoreDatabase(
  client: ClientBase,
  path: string,
  options: RestoreOptions,
): Promise<BackupHeader> {
  const header = await checkBackupFile(path);
  if (options.force !== true) await refuseRows(client);
  await options.migrate(header.migrations);
  await refuseOtherSchema(client, header);
  await client.query('BEGIN');
  try {
    for (const setting of PORTABLE_SETTINGS) await client.query(setting);
    await fill(client, path);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  return header;
}

async function refuseRows(client: ClientBase): Promise<void> {
  for (const { table } of await listTables(client)) {
    const { rowCount } = await client.query(`SELECT FROM ${quoted(table)} LIMIT 1`);
    if (rowCount === 0) continue;
    throw new ConflictError(
      `The database is not empty (table ${table} has rows): restore into a new data directory or database, or replace what is there with --force.`,
      'DatabaseNotEmpty',
    );
  }
}

async function refuseOtherSchema(client: ClientBase, header: BackupHeader): Promise<void> {
  const have = await listMigrations(client);
  const missing = header.migrations.filter((name) => !have.includes(name));
  const extra = have.filter((name) => !header.migrations.includes(name));
  if (missing.length === 0 && extra.length === 0) return;
  const why =
    missing.length > 0
      ? `it was made by a newer engine (${missing.join(', ')} is unknown here): restore it with version ${header.engineVersion} or later`
      : `the database already has a newer schema (${extra.join(', ')}): restore into a new data directory or database`;
  throw new ConflictError(`The backup cannot be restored: ${why}.`, 'BackupSchemaMismatch');
}

async function fill(client: ClientBase, path: string): Promise<void> {
  // Those of the database, not of the backup: what migrations put into a table goes too.
  const tables = (await listTables(client)).map(({ table }) => quoted(table));
  if (tables.length > 0) await client.query(`TRUNCATE ${tables.join(', ')}`);
  await client.query('SET CONSTRAINTS ALL DEFERRED');
  const triggers = await disableTriggers(client);
  let rows: Writable | undefined;
  for await (const part of readBackupFile(path)) {
    if ('table' in part) rows = openTable(client, part);
    else if ('rows' in part) await write(rows, part.rows);
    else if ('tableEnd' in part) await end(rows);
    else if ('sequence' in part) await setSequence(client, part);
  }
  await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  for (const statement of triggers) await client.query(statement);
}

/** Triggers did their work when the rows were written first. @returns the statements that switch them on again */
async function disableTriggers(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ table: string; name: string; always: boolean }>(
    `SELECT c.relname AS "table", t.tgname AS name, t.tgenabled = 'A' AS always
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')`,
  );
  for (const { table, name } of rows) {
    await client.query(`ALTER TABLE ${quoted(table)} DISABLE TRIGGER ${quoted(name)}`);
  }
  return rows.map(
    ({ table, name, always }) =>
      `ALTER TABLE ${quoted(table)} ENABLE ${always ? 'ALWAYS ' : ''}TRIGGER ${quoted(name)}`,
  );
}

function openTable(client: ClientBase, { table, columns }: TablePart): Writable {
  const stream = copyIn(client, `COPY ${quoted(table)} (${columns.map(quoted).join(', ')}) FROM STDIN`);
  // The failure is thrown by the next write or the end; without a listener it would end the process first.
  stream.on('error', () => undefined);
  return stream;
}

async function write(stream: Writable | undefined, rows: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (stream === undefined) return reject(new Error('rows outside of a table'));
    // The stream's own error says more than that it cannot be written to.
    if (stream.errored) return reject(stream.errored);
    stream.write(rows, (error) => (error ? reject(stream.errored ?? error) : resolve()));
  });
}

async function end(stream: Writable | undefined): Promise<void> {
  if (stream === undefined) return;
  if (stream.errored) throw stream.errored;
  stream.end();
  await finished(stream);
}

async function setSequence(client: ClientBase, part: SequencePart): Promise<void> {
  await client.query('SELECT setval($1::regclass, $2::bigint, $3)', [
    quoted(part.sequence),
    part.lastValue,
    part.isCalled,
  ]);
}
