import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../config/errors.js';
import { assertAuthUsable, type ConfiguredUser, isLoopback } from './auth-options.js';
import { hashPassword } from './passwords.js';
import { readUsers } from './users.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-auth-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('an administrator without a password', () => {
  test('is for loopback only; elsewhere a sentence says how to set one', () => {
    expect(() => assertAuthUsable({ loopback: true })).not.toThrow();
    expect(() => assertAuthUsable({ loopback: false, adminPassword: 'x' })).not.toThrow();
    expect(() => assertAuthUsable({ loopback: false })).toThrow(ConfigError);
    expect(() => assertAuthUsable({ loopback: false, adminPassword: '' })).toThrow(
      /SYMPHONY_ADMIN_PASSWORD_FILE/,
    );
  });

  test.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost'])('%s is loopback', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.0.0.1.example.org',
    'localhost.example.org',
    '',
    '::ffff:10.0.0.1',
  ])('"%s" is not', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe('users of the configuration', () => {
  const read = (...users: ConfiguredUser[]) => readUsers({ loopback: true, users });

  test('come beside admin, with a hash or with the password of a file', async () => {
    const file = join(folder, 'password');
    writeFileSync(file, 'of the file\r\n');
    const users = await read(
      { name: 'ann', passwordHash: await hashPassword('x'), roles: ['reader'] },
      { name: 'bob', passwordFile: file, roles: ['operator', 'reader'] },
    );
    expect([...users.keys()]).toEqual(['admin', 'ann', 'bob']);
    expect(users.get('bob')).toMatchObject({ credential: 'of the file', roles: ['reader', 'operator'] });
  });

  const hash =
    '$argon2id$v=19$m=19456,t=2,p=1$szJnidGUgfA4AuFXq1i1eQ$Ni0Fm4sirWNy/rOfPdUle439XhWBCmal5gzCx23lLmo';
  test.each<[string, ConfiguredUser, RegExp]>([
    ['takes the name of admin', { name: 'admin', passwordHash: hash, roles: ['reader'] }, /built in/],
    ['has no role', { name: 'ann', passwordHash: hash, roles: [] }, /no role/],
    ['has an unknown role', { name: 'ann', passwordHash: hash, roles: ['root'] }, /"root"/],
    ['has no password', { name: 'ann', roles: ['reader'] }, /either/],
    ['has two', { name: 'ann', passwordHash: hash, passwordFile: '/x', roles: ['reader'] }, /either/],
    [
      'has a hash of another kind',
      { name: 'ann', passwordHash: '$2b$10$abc', roles: ['reader'] },
      /argon2id/,
    ],
    ['has a file that is not there', { name: 'ann', passwordFile: '/no/such', roles: ['reader'] }, /ENOENT/],
    ['has an odd name', { name: 'a b', passwordHash: hash, roles: ['reader'] }, /needs a name/],
  ])('a user that %s is refused with a sentence', async (_what, user, sentence) => {
    await expect(read(user)).rejects.toThrow(sentence);
    await expect(read(user)).rejects.toBeInstanceOf(ConfigError);
  });

  test('twice the same name is refused', async () => {
    const ann: ConfiguredUser = { name: 'ann', passwordHash: hash, roles: ['reader'] };
    await expect(read(ann, ann)).rejects.toThrow(/twice/);
  });
});
