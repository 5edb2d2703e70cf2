import { UnavailableError } from '@symphony/model';
import { Client } from 'pg';

/** The oldest PostgreSQL that the engine works with. */
const OLDEST_MAJOR = 14;
const CONNECT_TIMEOUT_MS = 10_000;

/** The server behind a URL, seen to be usable. */
export interface OpenedServer {
  url: string;
  /** As the server says it, for example `16.4`. */
  version: string;
  major: number;
}

/**
 * Connects once to the database of a URL and checks that the engine can work there. It is for the start: the message
 * names the host and the database and says what to do, and never holds the password.
 * @param timeoutMs longest time for the connection and for each answer
 * @throws UnavailableError `DatabaseUnreachable`, `DatabaseTooOld`, `DatabaseReadOnly`, `DatabaseEncoding`
 */
export async function openServer(url: string, timeoutMs = CONNECT_TIMEOUT_MS): Promise<OpenedServer> {
  const client = clientOf(url, timeoutMs);
  const where = `database "${client.database ?? ''}" on ${client.host}:${client.port}`;
  // A loss of the connection shows as the failure of the query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<Facts>(
      `SELECT current_setting('server_version_num')::int AS number,
              current_setting('server_version') AS version,
              pg_is_in_recovery() AS standby,
              current_setting('server_encoding') AS encoding`,
    );
    const [facts] = rows;
    if (facts === undefined) throw new Error('it gave no answer');
    return { url, version: facts.version, major: checked(facts, where) };
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    throw new UnavailableError(
      `The ${where} cannot be reached: ${withoutPassword(reasonOf(error), client.password)}. Check database-url, and that the server runs and lets this machine in.`,
      'DatabaseUnreachable',
    );
  } finally {
    // Not awaited: a server that does not answer would hold up the message.
    void client.end().catch(() => undefined);
  }
}

interface Facts {
  number: number;
  version: string;
  standby: boolean;
  encoding: string;
}

function checked(facts: Facts, where: string): number {
  const major = Math.floor(facts.number / 10_000);
  if (major < OLDEST_MAJOR) {
    throw new UnavailableError(
      `The ${where} is PostgreSQL ${facts.version}; this engine needs ${OLDEST_MAJOR} or later. Upgrade the server, or point database-url at another.`,
      'DatabaseTooOld',
    );
  }
  if (facts.standby) {
    throw new UnavailableError(
      `The ${where} is a read-only standby. Point database-url at the primary server.`,
      'DatabaseReadOnly',
    );
  }
  if (facts.encoding !== 'UTF8') {
    throw new UnavailableError(
      `The ${where} stores text as ${facts.encoding}, which cannot hold every name. Make a database with ENCODING 'UTF8' and point database-url at it.`,
      'DatabaseEncoding',
    );
  }
  return major;
}

function clientOf(url: string, timeoutMs: number): Client {
  try {
    // Anything else would be taken for the name of a database.
    if (!/^postgres(ql)?:\/\//.test(url)) throw new Error('not a URL of PostgreSQL');
    return new Client({
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
    });
  } catch {
    // The error of a URL that cannot be read holds the URL, and so the password.
    throw new UnavailableError(
      'The value of database-url cannot be read: it has the form postgresql://user:password@host:5432/database, with special characters percent-encoded.',
      'DatabaseUnreachable',
    );
  }
}

/** A host with several addresses fails with an error that has one per address and no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  const message = error instanceof Error ? error.message : String(error);
  return message === '' ? 'no reason given' : message.replace(/\.$/, '');
}

function withoutPassword(text: string, password: unknown): string {
  return typeof password === 'string' && password !== '' ? text.replaceAll(password, '***') : text;
}
