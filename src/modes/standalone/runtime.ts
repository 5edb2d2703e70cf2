import type { DataSource } from 'typeorm';
import type { AppConfig } from '../../config/index.js';
import { openServer } from './database/connect.js';
import { createDataSource, type DatabaseAddress } from './database/data-source.js';
import { Database } from './database/database.js';
import { migrate } from './database/migrate.js';
import { EmbeddedPostgres, type Log } from './embedded/index.js';

/** One for a renewal, one for a take-over that may have to wait for a lock. */
const LEASE_CONNECTIONS = 2;

/** The open database of standalone mode: embedded and ours to stop, or a server by URL. */
export class StandaloneRuntime {
  private constructor(
    readonly database: Database,
    /** Connections that serve nothing but the workers' leases. */
    readonly leases: Database,
    readonly address: DatabaseAddress,
    /** True when no other process can have workers in this database. */
    readonly exclusive: boolean,
    private readonly dataSources: readonly DataSource[],
    private readonly embedded: EmbeddedPostgres | undefined,
  ) {}

  /**
   * Opens (and, when embedded, starts) the database and brings its schema up to date.
   * @throws SymphonyError with a sentence for the terminal: DataDirLocked, DatabaseUnreachable, DatabaseTooOld, …
   */
  static async open(
    config: Pick<AppConfig, 'dataDir' | 'databaseUrl' | 'database'>,
    log: Log,
  ): Promise<StandaloneRuntime> {
    const { embedded, address } = await addressOf(config, log);
    const dataSources: DataSource[] = [];
    const connect = async (poolSize: number, suffix = ''): Promise<Database> => {
      const dataSource = createDataSource({
        ...address,
        poolSize,
        applicationName: `symphony-${process.pid}${suffix}`,
        onPoolError: (error) => log.warn(`A connection to the database was lost: ${error.message}`),
      });
      dataSources.push(dataSource);
      await dataSource.initialize();
      return new Database(dataSource, { isFull: () => embedded?.diskFull ?? false });
    };
    try {
      const database = await connect(config.database.poolSize);
      const ran = await migrate(database.dataSource, {
        onAhead: (names) =>
          log.info(
            `The schema is that of a later version, which this one can work with: ${names.join(', ')}`,
          ),
      });
      if (ran.length > 0) log.info(`The schema was brought up to date: ${ran.join(', ')}`);
      const leases = await connect(LEASE_CONNECTIONS, '-leases');
      return new StandaloneRuntime(database, leases, address, embedded !== undefined, dataSources, embedded);
    } catch (error) {
      await destroy(dataSources).catch(() => undefined);
      await embedded?.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      await destroy(this.dataSources);
    } finally {
      await this.embedded?.stop();
    }
  }
}

async function destroy(dataSources: readonly DataSource[]): Promise<void> {
  await Promise.all(dataSources.filter((source) => source.isInitialized).map((source) => source.destroy()));
}

async function addressOf(
  config: Pick<AppConfig, 'dataDir' | 'databaseUrl'>,
  log: Log,
): Promise<{ embedded?: EmbeddedPostgres; address: DatabaseAddress }> {
  if (config.databaseUrl) {
    const { url } = await openServer(config.databaseUrl);
    return { address: { url } };
  }
  const embedded = await EmbeddedPostgres.start({ dataDir: config.dataDir, logger: log });
  return { embedded, address: { connection: embedded.connection } };
}
