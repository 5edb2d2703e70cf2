import { Client, type ClientConfig } from 'pg';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from './migrations/index.js';

/** Where the database is: a server's coordinates (`host` may be a socket directory), or a URL. */
export type DatabaseAddress =
  | { connection: { host: string; port: number; user: string; password?: string; database: string } }
  | { url: string };

export type DataSourceOptions = DatabaseAddress & {
  /** Connections of this process, at most. */
  poolSize: number;
  /** Shown in `pg_stat_activity`; tells replicas apart. */
  applicationName: string;
  /** Told about connections that broke while idle; the pool replaces them by itself. */
  onPoolError?: (error: Error) => void;
};

/** Longer than any statement of ours needs; shorter than a caller waits. */
const STATEMENT_TIMEOUT_MS = 30_000;
/**
 * A transaction that nobody drives any more must not keep its locks: whoever takes over from a process that stands still in the
 * middle of one waits for this. Between two statements of ours there is no other wait.
 */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** For a new connection, and for a free one of the pool. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Beyond the server's own limit: only a peer that is gone without a word lets this one fire. */
const SILENT_PEER_MS = STATEMENT_TIMEOUT_MS + 5_000;
const KEEP_ALIVE_AFTER_MS = 10_000;

/** Name of the table in which TypeORM records the migrations that ran. */
export const MIGRATIONS_TABLE = 'schema_migration';
/** Name of the table in which migrations say which programs can live with them (`compatibility.ts`). */
export const COMPATIBILITY_TABLE = 'schema_compatibility';

/**
 * A client that is checked out and loses its connection emits `error`; without a listener that ends the process.
 * Whoever uses the client learns of it by the rejection of the query.
 */
class SteadyClient extends Client {
  constructor(config?: ClientConfig | string) {
    super(config);
    this.on('error', () => undefined);
  }
}

/**
 * The data source of standalone mode: its pool serves all hand-written SQL, its migrations make the schema. It has no
 * entities, because every statement of the stores is one that an ORM would not write (locks, fences, keyset pages).
 * @returns a data source that still has to be initialized
 */
export function createDataSource(options: DataSourceOptions): DataSource {
  const address =
    'url' in options
      ? { connectionString: options.url }
      : {
          host: options.connection.host,
          port: options.connection.port,
          user: options.connection.user,
          password: options.connection.password,
          database: options.connection.database,
        };
  return new DataSource({
    type: 'postgres',
    applicationName: options.applicationName,
    poolSize: options.poolSize,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    poolErrorHandler: (error: unknown) => {
      options.onPoolError?.(error instanceof Error ? error : new Error(String(error)));
    },
    installExtensions: false,
    synchronize: false,
    migrations: [...MIGRATIONS],
    migrationsTableName: MIGRATIONS_TABLE,
    migrationsTransactionMode: 'each',
    logging: false,
    // The address goes to the driver as it is: TypeORM's own reading of URLs knows no socket directories.
    extra: {
      ...address,
      Client: SteadyClient,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      query_timeout: SILENT_PEER_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    },
  });
}
