import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { selfSigned, type TestIdentity } from '../../../test/support/certificate.js';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';
import { RenewedTls } from './renewed-tls.js';
import { loadTls } from './tls.js';

const root = mkdtempSync(join(tmpdir(), 'symphony-renewed-'));
afterAll(() => rmSync(root, { recursive: true }));

const before = selfSigned();
const after = selfSigned();
let folder: string;
let edge: EdgeApp;
let renewed: RenewedTls;
const said: string[] = [];

/** Puts a pair in place as the kubelet does: a new folder, and a link that is swapped at once. */
function place({ cert, key }: Partial<TestIdentity>): void {
  const content = mkdtempSync(join(folder, '..data-'));
  if (cert !== undefined) writeFileSync(join(content, 'tls.crt'), cert);
  if (key !== undefined) writeFileSync(join(content, 'tls.key'), key);
  symlinkSync(content, join(folder, '..data-new'));
  renameSync(join(folder, '..data-new'), join(folder, '..data'));
}

beforeEach(async () => {
  folder = mkdtempSync(join(root, 'mount-'));
  place(before);
  mkdirSync(join(folder, 'mounted'));
  symlinkSync('../..data/tls.crt', join(folder, 'mounted', 'tls.crt'));
  symlinkSync('../..data/tls.key', join(folder, 'mounted', 'tls.key'));
  const tls = loadTls(join(folder, 'mounted', 'tls.crt'), join(folder, 'mounted', 'tls.key'));
  edge = await startEdgeApp([], { tls, allowedHosts: [] });
  said.length = 0;
  const say = (line: unknown): void => void said.push(JSON.stringify(line));
  const server = edge.app.getHttpServer() as ConstructorParameters<typeof RenewedTls>[1];
  renewed = new RenewedTls(tls, server, { info: say, warn: say } as never, 10);
});
afterEach(async () => {
  renewed.stop();
  await edge.close();
});

/** Whether a client that trusts this certificate alone gets an answer on a connection of its own. */
function accepts({ cert }: TestIdentity): Promise<boolean> {
  return new Promise((resolve) => {
    get(
      `https://localhost:${edge.port}/healthz`,
      { family: 4, ca: cert, agent: false, timeout: 10_000 },
      (response) => response.resume().on('end', () => resolve(response.statusCode === 200)),
    ).on('error', () => resolve(false));
  });
}

function open({ cert }: TestIdentity): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port: edge.port, ca: cert }, () =>
      resolve(socket),
    ).on('error', reject);
  });
}

test('new connections get the renewed certificate, and open ones live on', async () => {
  const old = await open(before);
  renewed.start();
  place(after);
  await vi.waitFor(async () => expect(await accepts(after)).toBe(true), { timeout: 10_000 });
  expect(await accepts(before)).toBe(false);
  old.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const answer = await new Promise<string>((resolve) => old.once('data', (data) => resolve(String(data))));
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  old.destroy();
  expect(said).toEqual([expect.stringContaining('A renewed TLS certificate is served')]);
});

test('half a renewal is passed over in silence', async () => {
  place({ cert: after.cert, key: before.key });
  await renewed.look();
  expect(await accepts(before)).toBe(true);
  place(after);
  await renewed.look();
  expect(await accepts(after)).toBe(true);
  expect(said.filter((line) => line.includes('cannot be used'))).toEqual([]);
});

test.each<[string, Partial<TestIdentity>, RegExp]>([
  ['a key of another certificate', { cert: after.cert, key: before.key }, /does not belong/],
  ['no certificate', { cert: 'hello', key: after.key }, /not a certificate in PEM form/],
  ['an empty key', { cert: after.cert, key: '' }, /not a private key/],
  ['a file that is gone', { cert: after.cert }, /ENOENT/],
])(
  '%s is said once, the old certificate goes on, and the next good one is taken',
  async (_what, pair, why) => {
    place(pair);
    for (let look = 0; look < 4; look += 1) await renewed.look();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(why);
    expect(said[0]).not.toContain('PRIVATE KEY');
    expect(await accepts(before)).toBe(true);
    place(after);
    await renewed.look();
    expect(await accepts(after)).toBe(true);
  },
);

test('a server looks by itself while it listens', async () => {
  const looks = vi.spyOn(RenewedTls.prototype, 'start');
  const stops = vi.spyOn(RenewedTls.prototype, 'stop');
  const tls = loadTls(join(folder, 'mounted', 'tls.crt'), join(folder, 'mounted', 'tls.key'));
  const other = await startEdgeApp([], { tls, allowedHosts: [] });
  expect(looks).toHaveBeenCalledOnce();
  await other.close();
  expect(stops).toHaveBeenCalledOnce();
  vi.restoreAllMocks();
});
