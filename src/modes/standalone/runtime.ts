import type { DataSource } from 'typeorm';
import type { AppConfig } from '../../config/index.js';
import { openServer } from './database/connect.js';
import { createDataSource, type DatabaseAddress } from './database/data-source.js';
import { Database } from './database/database.js';
import { migrate } from './database/migrate.js';
import { EmbeddedPostgres, type Log } from './embedded/index.js';

/** The open database of standalone mode: embedded and ours to stop, or a server by URL. */
export class StandaloneRuntime {
  private constructor(
    readonly database: Database,
    readonly address: DatabaseAddress,
    /** True when no other process can have workers in this database. */
    readonly exclusive: boolean,
    private readonly dataSource: DataSource,
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
    let dataSource: DataSource | undefined;
    try {
      dataSource = createDataSource({
        ...address,
        poolSize: config.database.poolSize,
        applicationName: `symphony-${process.pid}`,
        onPoolError: (error) => log.warn(`A connection to the database was lost: ${error.message}`),
      });
      await dataSource.initialize();
      const ran = await migrate(dataSource);
      if (ran.length > 0) log.info(`The schema was brought up to date: ${ran.join(', ')}`);
      return new StandaloneRuntime(
        new Database(dataSource),
        address,
        embedded !== undefined,
        dataSource,
        embedded,
      );
    } catch (error) {
      if (dataSource?.isInitialized) await dataSource.destroy().catch(() => undefined);
      await embedded?.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      if (this.dataSource.isInitialized) await this.dataSource.destroy();
    } finally {
      await this.embedded?.stop();
    }
  }
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
