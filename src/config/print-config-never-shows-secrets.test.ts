import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { loadConfig } from './load.js';
import { maskUrl, printConfig } from './print.js';

test('secrets are masked, everything else is shown with where it comes from', () => {
  const loaded = loadConfig({
    cwd: '/',
    flags: new Map([['databaseUrl', 'postgres://user:hunter2@db/x?sslpassword=hunter2']]),
    env: { SYMPHONY_ADMIN_PASSWORD: 'hunter2', SYMPHONY_RECONCILE_INTERVAL: '90s' },
  });
  const text = printConfig(loaded);
  expect(text).not.toContain('hunter2');
  expect(text).toContain('databaseUrl: "postgres://user:***@db/x?sslpassword=***" # the flag --database-url');
  expect(text).toContain('  adminPassword: "***" # the environment variable SYMPHONY_ADMIN_PASSWORD');
  expect(text).toContain('  interval: 90s # the environment variable SYMPHONY_RECONCILE_INTERVAL');
  expect(text).toContain('port: 8082 # the default');
});

test('what is printed is a configuration file', () => {
  const { config } = loadConfig({ cwd: '/' });
  const printed = parse(printConfig(loadConfig({ cwd: '/' }))) as Record<string, unknown>;
  expect(printed).toMatchObject({
    mode: 'standalone',
    port: 8082,
    dataDir: config.dataDir,
    queue: { leaseSeconds: 5 },
  });
  expect(Object.keys(printed).sort()).toEqual([...Object.keys(config), 'databaseUrl'].sort());
});

test('a URL that cannot be read is masked as a whole', () => {
  expect(maskUrl('postgres://u:p@ss word@@[')).toBe('***');
});
