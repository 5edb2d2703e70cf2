import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, type LoadInput } from './load.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(text: string): string {
  files += 1;
  const path = join(folder, `${files}.yaml`);
  writeFileSync(path, text);
  return path;
}

const load = (input: LoadInput = {}) => loadConfig({ cwd: folder, ...input });

describe('precedence', () => {
  const flags = new Map([['port', '3']]);
  const env = { SYMPHONY_PORT: '2' };
  const path = file('port: 1');

  test.each<[string, LoadInput, number]>([
    ['the flag', { flags, env, file: path }, 3],
    ['the environment', { env, file: path }, 2],
    ['the file', { file: path }, 1],
    ['the default', {}, 8082],
  ])('%s wins over what is below it', (_name, input, port) => {
    expect(load(input).config.port).toBe(port);
  });

  test('holds for each key by itself', () => {
    const mixed = file('{"port": 1, "host": "::1", "queue": {"concurrency": 7}}');
    const { config } = load({ env: { SYMPHONY_QUEUE_CONCURRENCY: '9' }, flags, file: mixed });
    expect([config.port, config.host, config.queue.concurrency]).toEqual([3, '::1', 9]);
  });

  test('holds between a password and a password file', () => {
    const secret = file('from the file\n');
    const config = file(`auth: {adminPassword: in-the-file, adminPasswordFile: null}`);
    const env = { SYMPHONY_ADMIN_PASSWORD_FILE: secret };
    expect(load({ env, file: config }).config.auth.adminPassword).toBe('from the file');
    const both = file(`auth: {adminPasswordFile: ${secret}}`);
    expect(load({ env: { SYMPHONY_ADMIN_PASSWORD: 'direct' }, file: both }).config.auth.adminPassword).toBe(
      'direct',
    );
  });
});

describe('values', () => {
  test.each(['Debug', 'DEBUG', 'debug'])('the level %s is taken in any case', (level) => {
    expect(load({ flags: new Map([['logLevel', level]]) }).config.logLevel).toBe('debug');
  });

  test('durations are milliseconds', () => {
    const { config } = load({
      env: { SYMPHONY_RECONCILE_INTERVAL: '1h30m' },
      file: file('history: {maxAge: 24h}'),
    });
    expect([config.reconcile.interval, config.history.maxAge]).toEqual([5_400_000, 86_400_000]);
    expect(load({ file: file('reconcile: {interval: 0}') }).config.reconcile.interval).toBe(0);
  });

  test('lists come with commas or as lists', () => {
    const env = { SYMPHONY_PROVIDERS_SCRIPT_ALLOWED_FOLDERS: '/a, b' };
    expect(load({ env }).config.providers.script.allowedFolders).toEqual(['/a', join(folder, 'b')]);
    const list = file('providers: {script: {allowedFolders: [/a, b]}}');
    expect(load({ file: list }).config.providers.script.allowedFolders).toEqual(['/a', join(folder, 'b')]);
  });

  test('paths of a file start at the file, others at the current folder', () => {
    const path = file('dataDir: data');
    expect(load({ file: path, cwd: '/elsewhere' }).config.dataDir).toBe(join(folder, 'data'));
    expect(load({ env: { SYMPHONY_DATA_DIR: 'data' }, cwd: '/elsewhere' }).config.dataDir).toBe(
      '/elsewhere/data',
    );
  });

  test('users come out of the file', () => {
    const path = file('auth: {users: [{name: ops, roles: [operator], passwordFile: ops.txt}]}');
    expect(load({ file: path }).config.auth.users).toEqual([
      { name: 'ops', roles: ['operator'], passwordFile: join(folder, 'ops.txt') },
    ]);
  });

  test('empty variables, empty files and null are no values', () => {
    const env = { SYMPHONY_PORT: '', SYMPHONY_ADMIN_PASSWORD: '' };
    expect(load({ env, file: file('') }).config.port).toBe(8082);
    const { config } = load({ env, file: file('port: null\nqueue: null') });
    expect([config.port, config.queue.concurrency, config.auth.adminPassword]).toEqual([8082, 32, undefined]);
  });

  test('SYMPHONY_CONFIG names the file, -c names another', () => {
    const env = { SYMPHONY_CONFIG: file('port: 5') };
    expect(load({ env }).config.port).toBe(5);
    expect(load({ env, file: file('port: 6') }).config.port).toBe(6);
  });
});

describe('the environment of others', () => {
  test('the link that Kubernetes makes of a service called symphony is no port', () => {
    expect(load({ env: { SYMPHONY_PORT: 'tcp://10.0.0.7:8082' } }).config.port).toBe(8082);
  });

  test('a variable that looks mistyped is warned about, a foreign one is not', () => {
    const { warnings } = load({
      env: { SYMPHONY_LOGLEVEL: 'debug', SYMPHONY_API_URL: 'http://x', PATH: '/' },
    });
    expect(warnings).toEqual([
      'The environment variable SYMPHONY_LOGLEVEL is not known and has no effect; did you mean SYMPHONY_LOG_LEVEL?',
    ]);
  });
});
