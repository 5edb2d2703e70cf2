import { resolve } from 'node:path';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import type { AppConfig } from '../config/index.js';
import { ConfigError } from '../config/errors.js';
import { version } from '../config/version.js';
import { openServer } from '../modes/standalone/database/connect.js';
import { createDataSource, type DatabaseAddress } from '../modes/standalone/database/data-source.js';
import { migrate } from '../modes/standalone/database/migrate.js';
import { MIGRATIONS } from '../modes/standalone/database/migrations/index.js';
import { backupDatabase, EmbeddedPostgres, restoreDatabase } from '../modes/standalone/embedded/index.js';
import { createLogger } from '../modules/logging/index.js';
import type { CommandLine } from './args.js';
import { explainStartError } from './start-errors.js';
import type { Terminal } from './terminal.js';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Writes or puts back a backup of the database of the configuration.
 * @returns 0 after one sentence on stdout, 1 after one on stderr.
 */
export async function runDatabaseCommand(
  line: CommandLine,
  config: AppConfig,
  io: Terminal,
): Promise<number> {
  if (line.file === undefined)
    throw new ConfigError(`${line.command} needs --file with the path of the backup.`);
  const file = resolve(line.file);
  try {
    io.out(
      `${await (line.command === 'backup' ? backup(config, file) : restore(config, file, line.force))}\n`,
    );
    return 0;
  } catch (error) {
    const failure = explainStartError(error, config);
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    io.err(`${failure.unforeseen ? `The ${line.command} failed: ${reason}` : failure.sentence}\n`);
    return failure.exitCode;
  }
}

async function backup(config: AppConfig, file: string): Promise<string> {
  const write = async (client: Client): Promise<string> => {
    const { tables, bytes } = await backupDatabase(client, file, { engineVersion: version() });
    return `The backup is in ${file}: ${tables} tables, ${bytes} bytes. It holds password hashes and the signing key; keep it safe.`;
  };
  // Beside a running engine, through its server: it goes on working meanwhile.
  const running = config.databaseUrl ? undefined : await connectToRunning(config.dataDir);
  if (!running) return withDatabase(config, ({ client }) => write(client));
  try {
    return await write(running);
  } finally {
    await running.end();
  }
}

async function restore(config: AppConfig, file: string, force: boolean): Promise<string> {
  return withDatabase(config, async ({ client, address }) => {
    const header = await restoreDatabase(client, file, {
      force,
      migrate: (names) => migrateTo(address, names),
    });
    return `Restored the backup of ${header.createdAt}, made by version ${header.engineVersion}.`;
  });
}

/** Runs only the migrations that the backup's schema had; the others follow when the engine starts. */
async function migrateTo(address: DatabaseAddress, names: readonly string[]): Promise<void> {
  const { options } = createDataSource({ ...address, poolSize: 1, applicationName: 'symphony-restore' });
  const migrations = MIGRATIONS.filter(({ name }) => names.includes(name));
  await migrate(new DataSource({ ...(options as PostgresDataSourceOptions), migrations: [...migrations] }));
}

interface OpenDatabase {
  client: Client;
  address: DatabaseAddress;
}

/** Connects to the database of the URL, or starts the embedded one for as long as `work` takes. */
async function withDatabase<T>(config: AppConfig, work: (database: OpenDatabase) => Promise<T>): Promise<T> {
  if (config.databaseUrl) {
    const { url } = await openServer(config.databaseUrl);
    return withClient({ url }, work);
  }
  const logger = createLogger({ level: 'error' });
  const server = await EmbeddedPostgres.start({ dataDir: config.dataDir, logger });
  try {
    return await withClient({ connection: server.connection }, work);
  } finally {
    await server.stop();
  }
}

async function withClient<T>(
  address: DatabaseAddress,
  work: (database: OpenDatabase) => Promise<T>,
): Promise<T> {
  const client = await connect(address);
  try {
    return await work({ client, address });
  } finally {
    await client.end();
  }
}

/** The server of an engine that runs on this data directory; undefined when none answers. */
async function connectToRunning(dataDir: string): Promise<Client | undefined> {
  const connection = await EmbeddedPostgres.runningConnection(dataDir);
  return connection && (await connect({ connection }).catch(() => undefined));
}

async function connect(address: DatabaseAddress): Promise<Client> {
  const where = 'url' in address ? { connectionString: address.url } : address.connection;
  const client = new Client({
    ...where,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'symphony-cli',
  });
  // Without a listener a lost connection would end the process; the query that needs it fails anyway.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
