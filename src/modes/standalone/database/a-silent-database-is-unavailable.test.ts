import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { createDataSource } from './data-source.js';
import { Database } from './database.js';

/** Instead of the half minute that the data source waits; longer than a busy machine stands still. */
const SILENT_PEER_MS = 8_000;

/** A line to the database on which everything that is sent can be swallowed from some moment on. */
class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;

  constructor(to: { host: string; port: number }) {
    this.#server = createServer((client) => {
      const upstream = connect(to);
      for (const [from, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (bytes) => void (this.#silent || other.write(bytes)));
        from.on('error', () => other.destroy());
        from.on('close', () => other.destroy());
      }
    });
  }

  /** @returns its port */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  swallow(silent: boolean): void {
    this.#silent = silent;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let testDatabase: TestDatabase;
let line: Line;
let source: DataSource;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase('silent');
  const url = new URL(testDatabase.url);
  line = new Line({ host: url.hostname, port: Number(url.port) });
  url.port = String(await line.listen());
  url.hostname = '127.0.0.1';
  source = createDataSource({ url: url.href, poolSize: 2, applicationName: 'silent-test' });
  const { extra } = source.options as { extra?: object };
  source.setOptions({ extra: { ...extra, query_timeout: SILENT_PEER_MS } });
  await source.initialize();
  database = new Database(source);
});
afterAll(async () => {
  await source.destroy();
  await line.close();
  await testDatabase.drop();
});
beforeEach(async () => {
  line.swallow(false);
  await database.check();
});

const UNAVAILABLE = { code: 'DatabaseUnavailable', status: 503 };

it('a statement that is never answered is a 503 with a sentence', async () => {
  line.swallow(true);
  await expect(database.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
});

it('so is a transaction; nothing more is asked on its connection', async () => {
  const begun = performance.now();
  const work = database.transaction(async (tx) => {
    line.swallow(true);
    await tx.query('SELECT 1');
  });
  await expect(work).rejects.toMatchObject(UNAVAILABLE);
  // A ROLLBACK would have waited for as long again.
  expect(performance.now() - begun).toBeLessThan(1.8 * SILENT_PEER_MS);
});

it('the next statement has a connection of its own and is answered', async () => {
  line.swallow(true);
  await expect(database.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
  line.swallow(false);
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});
