import type { ClientBase } from 'pg';
import { listMigrations, listSequences, listTables, PORTABLE_SETTINGS, quoted } from './catalog.js';
import { copyOut } from './copy.js';
import { FORMAT_VERSION, writeBackupFile, type BackupPart } from './format.js';

export interface BackupSummary {
  /** Number of tables in the backup. */
  tables: number;
  /** Size of the file. */
  bytes: number;
}

/**
 * Writes a backup of the engine's whole database as it is at one moment, while the engine goes on working: one
 * snapshot, no locks that anybody waits for. The file (0600) holds everything that the database does, password hashes
 * and the signing key included.
 * @param client a connection of its own, used for nothing else meanwhile
 * @param path the file; one that is there is replaced when the backup is complete
 */
export async function backupDatabase(
  client: ClientBase,
  path: string,
  meta: { engineVersion: string },
): Promise<BackupSummary> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    for (const setting of PORTABLE_SETTINGS) await client.query(setting);
    const counted = { tables: 0 };
    const bytes = await writeBackupFile(path, parts(client, meta, counted));
    return { ...counted, bytes };
  } finally {
    // Nothing was written. A connection that broke has said so already.
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

async function* parts(
  client: ClientBase,
  meta: { engineVersion: string },
  counted: { tables: number },
): AsyncGenerator<BackupPart> {
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  yield {
    format: 'symphony-backup',
    formatVersion: FORMAT_VERSION,
    createdAt: new Date().toISOString(),
    engineVersion: meta.engineVersion,
    serverVersion: rows[0]?.server_version ?? '',
    migrations: await listMigrations(client),
  };
  for (const table of await listTables(client)) {
    yield table;
    const columns = table.columns.map(quoted).join(', ');
    for await (const chunk of copyOut(client, `COPY ${quoted(table.table)} (${columns}) TO STDOUT`)) {
      yield { rows: chunk as Buffer };
    }
    yield { tableEnd: true };
    counted.tables++;
  }
  // After the tables, because a sequence is not part of the snapshot: it may be ahead of them, never behind.
  yield* await listSequences(client);
}
