import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { selfSigned } from '../../../test/support/certificate.js';
import { startEdgeApp } from '../../../test/support/edge-app.js';
import { createTestDatabase } from '../../../test/support/postgres.js';
import { createApp } from '../../app.js';
import { run } from '../../cli/run.js';
import { ConfigError } from '../../config/errors.js';
import { loadConfig } from '../../config/index.js';
import { createLogger } from '../logging/index.js';
import { loadTls } from './tls.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const identity = selfSigned();
const cert = file('cert.pem', identity.cert);
const key = file('key.pem', identity.key);

/** Trusts the test's certificate and nothing else. */
function ask(url: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get(url, { family: 4, ca: identity.cert }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    }).on('error', reject);
  });
}

test('answers over TLS, and not to plain HTTP', async () => {
  const edge = await startEdgeApp([], { tls: loadTls(cert, key), allowedHosts: [] });
  const answer = await ask(`https://localhost:${edge.port}/healthz`);
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ alive: true });
  await expect(edge.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')).rejects.toThrow(
    /without an answer|ECONNRESET|EPIPE/,
  );
  await edge.close();
});

const other = file('other.pem', selfSigned().key);
const text = file('text.pem', 'hello');
test.each([
  [
    'a certificate that is not there',
    '/nowhere/c.pem',
    key,
    'The TLS certificate /nowhere/c.pem cannot be read: there is no such file.',
  ],
  ['a key that is a folder', cert, folder, `The TLS key ${folder} cannot be read: it is a folder.`],
  ['no certificate', text, key, `The TLS certificate ${text} is not a certificate in PEM form.`],
  ['a key as a certificate', key, key, `The TLS certificate ${key} is not a certificate in PEM form.`],
  ['no key', cert, text, `The TLS key ${text} is not a private key in PEM form without a passphrase.`],
  [
    'a key of another certificate',
    cert,
    other,
    `The TLS key ${other} does not belong to the TLS certificate ${cert}.`,
  ],
])(
  '%s ends the start with a sentence, before anything is opened',
  async (_what, tlsCert, tlsKey, sentence) => {
    const { config } = loadConfig({
      flags: new Map([
        ['http.tlsCert', tlsCert],
        ['http.tlsKey', tlsKey],
      ]),
    });
    // A database that cannot be reached: it must not come that far.
    config.databaseUrl = 'postgres://nobody@127.0.0.1:1/none';
    const error: unknown = await createApp(config).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: sentence, exitCode: 2 });
  },
);

test.each([
  ['--tls-cert', 'The flag --tls-cert needs its other half: set --tls-key as well, or neither.\n'],
  ['--tls-key', 'The flag --tls-key needs its other half: set --tls-cert as well, or neither.\n'],
])('%s alone is refused with exit code 2', async (flag, sentence) => {
  const said: string[] = [];
  const io = { out: () => undefined, err: (line: string) => void said.push(line) };
  expect(await run([flag, cert], {}, io)).toBe(2);
  expect(said).toEqual([sentence]);
});

test('a whole engine serves it, and says so in its address', async () => {
  const database = await createTestDatabase('tls');
  const flags = new Map([
    ['http.tlsCert', cert],
    ['http.tlsKey', key],
    ['databaseUrl', database.url],
  ]);
  const app = await createApp(loadConfig({ flags }).config, createLogger({ level: 'fatal' }));
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  expect(url).toMatch(/^https:/);
  expect((await ask(`${url}/readyz`)).status).toBe(200);
  await app.close();
  await database.drop();
});

const ended = selfSigned(new Date(Date.now() - 1_000));
test.each<[string, Record<string, string>, RegExp | undefined]>([
  ['plain HTTP that others can reach', { host: '0.0.0.0' }, /plain text: set --tls-cert/],
  ['plain HTTP on loopback', {}, undefined],
  ['TLS that others can reach', { host: '0.0.0.0', 'http.tlsCert': cert, 'http.tlsKey': key }, undefined],
  [
    'a certificate that has ended',
    { 'http.tlsCert': file('ended.pem', ended.cert), 'http.tlsKey': file('ended-key.pem', ended.key) },
    /ended on .*: clients will refuse it/,
  ],
])('the start warns of what is not safe: %s', async (_what, flags, warning) => {
  const log: string[] = [];
  const logger = createLogger({ level: 'warn', destination: { write: (line) => void log.push(line) } });
  const { config } = loadConfig({
    // The start ends at the database, after the edge was looked at.
    flags: new Map(Object.entries({ ...flags, databaseUrl: 'postgres://nobody@127.0.0.1:1/none' })),
    env: { SYMPHONY_ADMIN_PASSWORD: 'p4ssw0rd' },
  });
  await expect(createApp(config, logger)).rejects.toThrow();
  const about = log.filter((line) => /TLS|tls-/.test(line));
  expect(about).toHaveLength(warning ? 1 : 0);
  if (warning) expect(about[0]).toMatch(warning);
});
