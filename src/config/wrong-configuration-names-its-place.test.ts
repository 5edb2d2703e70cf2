import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError } from './errors.js';
import { loadConfig, type LoadInput } from './load.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'symphony.yaml');

function sentenceOf(input: LoadInput): string {
  try {
    loadConfig({ cwd: folder, ...input });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

test.each<[string, string]>([
  ['port: 70000', `The key "port" of ${path} is 70000: it must be a whole number from 0 to 65535.`],
  ['port: "80a"', `The key "port" of ${path} is "80a": it must be a whole number from 0 to 65535.`],
  ['port: 1.5', `The key "port" of ${path} is 1.5: it must be a whole number from 0 to 65535.`],
  ['port: [1]', `The key "port" of ${path} is [1]: it must be a whole number from 0 to 65535.`],
  ['mode: kubernetes', `The key "mode" of ${path} is "kubernetes": it must be standalone or k8s.`],
  [
    'logLevel: loud',
    `The key "logLevel" of ${path} is "loud": it must be Trace, Debug, Info, Warn, Error or Fatal.`,
  ],
  [
    'reconcile: {interval: 30d}',
    `The key "reconcile.interval" of ${path} is "30d": it must be a duration such as 30m.`,
  ],
  [
    'reconcile: {interval: 30}',
    `The key "reconcile.interval" of ${path} is "30": it must be a duration such as 30m.`,
  ],
  [
    'queue: {concurency: 3}',
    `The configuration file ${path} has the unknown key "queue.concurency"; did you mean "queue.concurrency"?`,
  ],
  [
    'metrics: {public: sometimes}',
    `The key "metrics.public" of ${path} is "sometimes": it must be true or false.`,
  ],
  [
    'http: {allowedHosts: ["http://x"]}',
    `The key "http.allowedHosts" of ${path} is ["http://x"]: it must be a list of host names without ports.`,
  ],
  [
    'http: {corsOrigins: ["*"]}',
    `The key "http.corsOrigins" of ${path} is ["*"]: it must be a list of origins such as https://portal.example.org, in lower case and without a path.`,
  ],
  [
    'http: {corsOrigins: ["https://portal.test/"]}',
    `The key "http.corsOrigins" of ${path} is ["https://portal.test/"]: it must be a list of origins such as https://portal.example.org, in lower case and without a path.`,
  ],
  [
    'http: {tlsCert: c.pem}',
    `The key "http.tlsCert" of ${path} needs its other half: set --tls-key as well, or neither.`,
  ],
  ['siteInfo: {}', `The configuration file ${path} has the unknown key "siteInfo": --help lists the keys.`],
  ['queue: 3', `"queue" in ${path} must hold keys and values, such as queue.concurrency.`],
  ['- a', `The configuration file ${path} must hold keys and values.`],
  [
    'providers: {script: {allowedFolders: [1]}}',
    `The key "providers.script.allowedFolders" of ${path} is [1]: it must be a list of folders.`,
  ],
  ['auth: {adminPassword: 12}', `The key "auth.adminPassword" of ${path} is not valid: it must be text.`],
  ['auth: {users: [{name: x}]}', `Entry 1 of the key "auth.users" of ${path} needs roles, a list of texts.`],
  ['auth: {users: [{nam: x}]}', `Entry 1 of the key "auth.users" of ${path} has the unknown key "nam".`],
  [
    'databaseUrl: mysql://u:secret@h/d',
    `The key "databaseUrl" of ${path} is not valid: it must be a URL such as postgres://user:password@host:5432/database.`,
  ],
])('the file %j', (text, sentence) => {
  writeFileSync(path, text);
  expect(sentenceOf({ file: path })).toBe(sentence);
});

test('a file that is neither YAML nor JSON is named with the line', () => {
  writeFileSync(path, 'a: [1\nb: "x');
  expect(sentenceOf({ file: path })).toMatch(
    new RegExp(`^The configuration file ${path} is neither YAML nor JSON: .* at line \\d+`),
  );
});

test('a file that is not there', () => {
  expect(sentenceOf({ file: '/nowhere/x.yaml' })).toBe(
    'The configuration file /nowhere/x.yaml cannot be read: there is no such file.',
  );
  expect(sentenceOf({ file: folder })).toBe(
    `The configuration file ${folder} cannot be read: it is a folder.`,
  );
});

test('a flag and a variable are named as they were written', () => {
  expect(sentenceOf({ flags: new Map([['port', 'x']]) })).toBe(
    'The flag --port is "x": it must be a whole number from 0 to 65535.',
  );
  expect(sentenceOf({ env: { SYMPHONY_QUEUE_LEASE_SECONDS: '0' } })).toBe(
    'The environment variable SYMPHONY_QUEUE_LEASE_SECONDS is 0: it must be a whole number from 1 to 600.',
  );
});

test('passwords: never in a sentence, never from two places at once, never out of an empty file', () => {
  expect(sentenceOf({ env: { SYMPHONY_DATABASE_URL: 'http://u:secret@h' } })).not.toContain('secret');
  const empty = join(folder, 'empty');
  writeFileSync(empty, '\n');
  expect(sentenceOf({ env: { SYMPHONY_ADMIN_PASSWORD_FILE: empty } })).toContain('must hold one line');
  expect(sentenceOf({ env: { SYMPHONY_ADMIN_PASSWORD_FILE: empty, SYMPHONY_ADMIN_PASSWORD: 'x' } })).toBe(
    'The environment variable SYMPHONY_ADMIN_PASSWORD and the environment variable SYMPHONY_ADMIN_PASSWORD_FILE are both set: set only one of them.',
  );
  expect(sentenceOf({ env: { SYMPHONY_ADMIN_PASSWORD_FILE: '/nowhere' } })).toContain(
    'there is no such file',
  );
});

test('an interval below the shortest allowed is refused', () => {
  expect(sentenceOf({ env: { SYMPHONY_RECONCILE_INTERVAL: '30s' } })).toContain(
    'shorter than reconcile.minInterval',
  );
});
