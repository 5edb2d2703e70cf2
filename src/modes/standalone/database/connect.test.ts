import { createServer } from 'node:net';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { openServer } from './connect.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('connect');
});
afterAll(() => database.drop());

function changed(change: (url: URL) => void): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

test('a usable server: its version', async () => {
  const opened = await openServer(database.url);
  expect(opened.major).toBeGreaterThanOrEqual(14);
  expect(opened.version).toContain(String(opened.major));
});

test('what cannot be reached is one sentence that names the place and never the password', async () => {
  const silent = createServer((socket) => void socket.resume().on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cases: Record<string, string> = {
    'nobody listens': changed((url) => (url.port = '1')),
    'several addresses, nobody listens': changed((url) => ((url.hostname = 'localhost'), (url.port = '1'))),
    'a server that says nothing': changed((url) => (url.port = String(port))),
    'no such host': changed((url) => (url.hostname = 'no-such-host.invalid')),
    'a wrong password': changed((url) => (url.password = 's3cret-word')),
    'no such database': changed((url) => (url.pathname = '/no_such_database')),
    'a password that the URL cannot carry': 'postgresql://me:s3cret-word%@127.0.0.1:99999/x',
    'no URL': 's3cret-word',
  };
  for (const [what, url] of Object.entries(cases)) {
    const error: unknown = await openServer(url, 1_000).catch((failure: unknown) => failure);
    expect(error, what).toMatchObject({ code: 'DatabaseUnreachable', status: 503 });
    const text = JSON.stringify(error, ['message', 'cause', 'stack']) + String((error as Error).stack);
    expect(text, what).not.toContain('s3cret-word');
    expect(text, what).not.toContain(new URL(database.url).password || 'no password given');
    expect((error as Error).message, what).not.toContain('\n');
    expect((error as Error).message, what).toMatch(/database-url/);
  }
  await new Promise((resolve) => silent.close(resolve));
});

test('a server that is too old, and one that cannot be written, are refused with the way out', async () => {
  // Stand-ins for servers that cannot be had here: only their answers to the one question differ.
  for (const [number, standby, encoding, code] of [
    ['130012', 'f', 'UTF8', 'DatabaseTooOld'],
    ['170000', 't', 'UTF8', 'DatabaseReadOnly'],
    ['170000', 'f', 'SQL_ASCII', 'DatabaseEncoding'],
  ] as const) {
    const server = standIn([number, `${number.slice(0, 2)}.1`, standby, encoding]);
    const port = await server.port;
    await expect(openServer(`postgresql://me:pw@127.0.0.1:${port}/db`)).rejects.toMatchObject({ code });
    server.close();
  }
});

test('it leaves no connection behind', async () => {
  await openServer(database.url);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const others = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  await expect.poll(async () => (await client.query<{ n: number }>(others)).rows[0]?.n).toBe(0);
  await client.end();
});

/** A server that lets everybody in and answers each query with one row of four columns. */
function standIn(row: readonly string[]): { port: Promise<number>; close(): void } {
  const message = (type: string, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const int = (bytes: 2 | 4, value: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const ready = message('Z', Buffer.from('I'));
  const types = [23, 25, 16, 25];
  const names = ['number', 'version', 'standby', 'encoding'];
  const answer = Buffer.concat([
    message(
      'T',
      int(2, 4),
      ...names.flatMap((name, at) => [
        Buffer.from(`${name}\0`),
        int(4, 0),
        int(2, 0),
        int(4, types[at] ?? 25),
        int(2, -1),
        int(4, -1),
        int(2, 0),
      ]),
    ),
    message('D', int(2, 4), ...row.flatMap((value) => [int(4, value.length), Buffer.from(value)])),
    message('C', Buffer.from('SELECT 1\0')),
    ready,
  ]);
  const server = createServer((socket) => {
    let greeted = false;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (greeted && data[0] === 'Q'.charCodeAt(0)) socket.write(answer);
      if (!greeted) socket.write(Buffer.concat([message('R', int(4, 0)), ready]));
      greeted = true;
    });
  });
  const port = new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  return { port, close: () => void server.close() };
}
