import { UnavailableError } from '@symphony/model';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import type { DataSource } from 'typeorm';

/** A statement with a name is prepared once per connection. */
export interface Statement {
  name?: string;
  text: string;
}

/** Runs statements: the pool itself, or one transaction. */
export interface Sql {
  query<R extends QueryResultRow>(statement: Statement | string, values?: readonly unknown[]): Promise<R[]>;
}

/** Serialization failure and deadlock: the same transaction may succeed when run again. */
const RETRYABLE = new Set(['40001', '40P01']);
const MAX_TRANSACTION_TRIES = 5;
/** Class 08 (connection), 57P (shutdown, crash), 53 (out of resources); 57014: a lock or a disk took too long. */
const UNAVAILABLE = /^(08|57P|53|57014)/;
/** What the driver says without a code, also to whoever asks on a connection that was lost between two questions. */
const LOST = /Connection terminated|timeout exceeded when trying to connect|is not queryable/;
/** The same of a peer that is gone without a word; whatever else is asked on that connection waits as long once more. */
const SILENT = /^Query read timeout$/;
const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH']);

/** No room for what is written: of the disk, or by a quota. */
const DISK_FULL = '53100';

// A page of its own is what a full disk refuses; other writes may find room in pages that are there. Nothing of it stays.
const WRITE_A_PAGE = 'CREATE TEMPORARY TABLE room_to_write ON COMMIT DROP AS SELECT 1 AS page';

export interface DatabaseOptions {
  /** Whether the server is down because its disk is full, as far as whoever runs it knows. */
  isFull?: () => boolean;
}

/** The database as the adapters see it: TypeORM's data source for migrations, its pool for hand-written SQL. */
export class Database implements Sql {
  readonly #pool: Pool;
  /** A write found no room, and none that needs room has succeeded since. */
  #full = false;

  constructor(
    readonly dataSource: DataSource,
    private readonly options: DatabaseOptions = {},
  ) {
    this.#pool = (dataSource.driver as unknown as { master: Pool }).master;
  }

  /**
   * Whether it answers, and takes writes if one was refused before.
   * @throws UnavailableError with a sentence for everybody
   */
  async check(): Promise<void> {
    await this.query('SELECT 1');
    if (!this.#full) return;
    await this.transaction(async (tx) => {
      await tx.query(WRITE_A_PAGE);
    });
    this.#full = false;
  }

  /** Connections of this process: open ones, those of them that are idle, and how many requests wait for one. */
  get poolFigures(): { total: number; idle: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  async query<R extends QueryResultRow>(
    statement: Statement | string,
    values: readonly unknown[] = [],
  ): Promise<R[]> {
    return untilNoCollision(() => this.#told(() => run<R>(this.#pool, statement, values)));
  }

  /** Runs `work` in one transaction, again when the database says that it collided with another. */
  async transaction<T>(work: (tx: Sql) => Promise<T>, begin = 'BEGIN'): Promise<T> {
    return untilNoCollision(() => this.#told(() => this.#once(work, begin)));
  }

  /** Every failure that is the database's own leaves by here, in words for users. */
  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'DatabaseFull') this.#full = true;
      if (code === 'DatabaseUnavailable' && this.options.isFull?.()) throw full(error);
      throw error;
    }
  }

  async #once<T>(work: (tx: Sql) => Promise<T>, begin: string): Promise<T> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      await client.query(begin);
      const result = await work({ query: (statement, values = []) => run(client, statement, values) });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      broken = silenceIn(error) ?? (await rollback(client));
      throw translated(error);
    } finally {
      client.release(broken);
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw translated(error);
    }
  }
}

/** @returns why the connection is of no use any more; the server then rolls back by itself */
async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The driver's own error when the peer said nothing, also where it was translated. */
function silenceIn(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  return SILENT.test(error.message) ? error : silenceIn(error.cause);
}

/** A transaction (or a statement, which is one by itself) that collided with another has done nothing. */
async function untilNoCollision<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= MAX_TRANSACTION_TRIES || !RETRYABLE.has(codeOf(error))) throw error;
    }
  }
}

async function run<R extends QueryResultRow>(
  on: Pool | PoolClient,
  statement: Statement | string,
  values: readonly unknown[],
): Promise<R[]> {
  const config = typeof statement === 'string' ? { text: statement } : statement;
  try {
    const result = await on.query<R>({ ...config, values: [...values] });
    return result.rows;
  } catch (error) {
    throw translated(error);
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** A database that cannot be reached is a 503 with a sentence, not a driver's message. */
function translated(error: unknown): unknown {
  const code = codeOf(error);
  if (code === DISK_FULL) return full(error);
  const message = error instanceof Error ? error.message : '';
  const gone = UNAVAILABLE.test(code) || NETWORK.has(code) || LOST.test(message) || SILENT.test(message);
  if (!gone) return error;
  return new UnavailableError(
    'The database cannot be reached at the moment; try again in a few seconds.',
    'DatabaseUnavailable',
    { cause: error },
  );
}

function full(cause: unknown): UnavailableError {
  return new UnavailableError(
    'The disk of the database is full, so nothing can be written; nothing that was accepted is lost. Free some space there: work goes on by itself then.',
    'DatabaseFull',
    { cause },
  );
}
