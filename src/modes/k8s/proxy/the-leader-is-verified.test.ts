import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { selfSigned, type TestIdentity } from '../../../../test/support/certificate.js';
import { LeaderConnections, type LeaderTrustOptions } from './leader-connections.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-leader-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ours = selfSigned();
const renewal = selfSigned();
const strangers = selfSigned();
let leader: Server;
let origin: string;
let connections: LeaderConnections | undefined;

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function serve({ cert, key }: TestIdentity): Promise<void> {
  leader = createServer({ cert, key }, (_request, response) => response.end('it is me'));
  leader.listen(0, '127.0.0.1');
  await once(leader, 'listening');
  origin = `https://127.0.0.1:${(leader.address() as AddressInfo).port}`;
}

beforeEach(() => serve(ours));
afterEach(async () => {
  await connections?.close();
  leader.closeAllConnections();
  leader.close();
});

async function ask(options?: LeaderTrustOptions): Promise<string> {
  if (options) connections = new LeaderConnections(options, 0);
  const dispatcher = await connections?.dispatcher();
  const answer = await dispatcher?.request({ origin, path: '/', method: 'GET' });
  return (await answer?.body.text()) ?? '';
}

test('by our own certificate, and by its name although it is reached by its address', async () => {
  expect(await ask({ ownCertificate: file('own.pem', ours.cert) })).toBe('it is me');
});

test('by the configured authority alone', async () => {
  const ownCertificate = file('own.pem', ours.cert);
  expect(await ask({ ca: file('ca.pem', ours.cert) })).toBe('it is me');
  await connections?.close();
  await expect(ask({ ownCertificate, ca: file('ca.pem', strangers.cert) })).rejects.toThrow(/certificate/);
});

test('by the authority that lies beside our own certificate', async () => {
  mkdirSync(join(folder, 'secret'));
  file('secret/ca.crt', ours.cert);
  expect(await ask({ ownCertificate: file('secret/tls.crt', strangers.cert) })).toBe('it is me');
});

test.each<[string, LeaderTrustOptions]>([
  ['with nothing to trust it by', {}],
  ['with another certificate', { ownCertificate: file('strangers.pem', strangers.cert) }],
  ['under another name', { ownCertificate: file('own.pem', ours.cert), serverName: 'elsewhere.example' }],
])('a leader that cannot be verified gets nothing: %s', async (_what, options) => {
  await expect(ask(options)).rejects.toThrow(/certificate|altnames/i);
});

test('follows a renewal; a file that is missing for a moment stops nothing', async () => {
  const ownCertificate = file('own.pem', ours.cert);
  expect(await ask({ ownCertificate })).toBe('it is me');
  rmSync(ownCertificate);
  expect(await ask()).toBe('it is me');
  leader.closeAllConnections();
  leader.close();
  await serve(renewal);
  await expect(ask()).rejects.toThrow(/certificate/);
  file('own.pem', renewal.cert);
  expect(await ask()).toBe('it is me');
});

test('files that never could be read are said', async () => {
  await expect(ask({ ca: join(folder, 'nowhere') })).rejects.toThrow(/cannot be read: ENOENT/);
});
