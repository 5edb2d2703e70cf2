/**
 * A stand-in for the engine, run as a process of its own so that tests can kill it: starts the embedded database in
 * the folder of its first argument and reports on stdout, one JSON object per line. With `write` as the second
 * argument it then inserts 1, 2, 3, … and reports each number when its commit is acknowledged.
 */
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';

const [dataDir = '', mode = 'idle'] = process.argv.slice(2);
const say = (event: object): boolean => process.stdout.write(`${JSON.stringify(event)}\n`);
const log = (message: string): void => void process.stderr.write(`${message}\n`);

try {
  const database = await EmbeddedPostgres.start({
    dataDir,
    logger: { debug: log, info: log, warn: log, error: log },
  });
  process.once('SIGTERM', () => void database.stop().then(() => process.exit(0)));
  say({ ready: database.connection, cluster: database.cluster });
  if (mode === 'write') await writeForever(database);
  else setInterval(() => undefined, 60_000);
} catch (error) {
  say({ failed: error instanceof Error ? error.name : 'unknown', message: String(error) });
  process.exitCode = 1;
}

async function writeForever(database: EmbeddedPostgres): Promise<void> {
  const client = new Client(database.connection);
  client.on('error', () => undefined);
  await client.connect();
  await client.query('CREATE TABLE IF NOT EXISTS acknowledged (n bigint PRIMARY KEY)');
  const { rows } = await client.query<{ last: string }>(
    'SELECT coalesce(max(n), 0) AS last FROM acknowledged',
  );
  for (let n = Number(rows[0]?.last ?? 0) + 1; ; n++) {
    await client.query('INSERT INTO acknowledged VALUES ($1)', [n]);
    say({ written: n });
  }
}
