import { beforeAll, expect, test } from 'vitest';
import { Login, TooManyLoginsError } from './login.js';
import { verifyPassword } from './passwords.js';
import { readUsers, type User } from './users.js';

let users: ReadonlyMap<string, User>;
beforeAll(async () => {
  users = await readUsers({ adminPassword: 'right', users: [], loopback: false });
});

/** Fails until the limit says no; returns how often it was let through. */
async function failUntilRefused(login: Login, name = 'admin', address = 'here'): Promise<number> {
  for (let count = 0; count < 50; count++) {
    try {
      expect(await login.check(name, `wrong ${count}`, address)).toBeUndefined();
    } catch (error) {
      expect(error).toBeInstanceOf(TooManyLoginsError);
      return count;
    }
  }
  throw new Error('never refused');
}

test('hundreds of good logins in a row and at once are all served', async () => {
  const login = new Login(users);
  const together = await Promise.all(Array.from({ length: 64 }, () => login.check('admin', 'right', 'here')));
  expect(together.every((user) => user?.name === 'admin')).toBe(true);
  for (let count = 0; count < 300; count++) expect(await login.check('admin', 'right', 'here')).toBeDefined();
});

test('failed ones are refused after ten, the right password too, and let through again with time', async () => {
  let time = 0;
  const login = new Login(users, () => time);
  expect(await failUntilRefused(login)).toBe(10);
  const refused = await login.check('admin', 'right', 'here').catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 429, code: 'TooManyLogins', retryAfterSeconds: 6 });
  time += 6_000;
  expect(await login.check('admin', 'right', 'here')).toBeDefined();
  expect(await login.check('admin', 'wrong', 'here')).toBeUndefined();
  await expect(login.check('admin', 'wrong', 'here')).rejects.toBeInstanceOf(TooManyLoginsError);
});

test('a remembered password does not open a way round the limit', async () => {
  const login = new Login(users, () => 0);
  await login.check('admin', 'right', 'here');
  await failUntilRefused(login);
  await expect(login.check('admin', 'right', 'here')).rejects.toBeInstanceOf(TooManyLoginsError);
});

test('many wrong ones at the same time do not slip through together', async () => {
  const login = new Login(users, () => 0);
  const results = await Promise.allSettled(
    Array.from({ length: 40 }, (_, index) => login.check('admin', `wrong ${index}`, 'here')),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
});

test('another user and another address are not concerned', async () => {
  const login = new Login(users, () => 0);
  await failUntilRefused(login);
  expect(await login.check('admin', 'right', 'there')).toBeDefined();
  expect(await login.check('nobody', 'x', 'here')).toBeUndefined();
});

test('names that nobody has are limited alike, and cost the same work', async () => {
  const hashes: string[] = [];
  const login = new Login(
    users,
    () => 0,
    (hash, password) => {
      hashes.push(hash);
      return verifyPassword(hash, password);
    },
  );
  await login.check('admin', 'wrong', 'here');
  await login.check('nobody', 'wrong', 'here');
  const cost = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;
  expect(hashes).toEqual([expect.stringMatching(cost), expect.stringMatching(cost)]);
  expect(await failUntilRefused(login, 'somebody')).toBe(10);
});

test('a good password is verified once in five minutes, a wrong one each time', async () => {
  let time = 0;
  let verifications = 0;
  const login = new Login(
    users,
    () => time,
    (hash, password) => {
      verifications += 1;
      return verifyPassword(hash, password);
    },
  );
  for (let count = 0; count < 5; count++) expect(await login.check('admin', 'right', 'here')).toBeDefined();
  expect(verifications).toBe(1);
  for (let count = 0; count < 2; count++)
    expect(await login.check('admin', 'right ', 'here')).toBeUndefined();
  expect(verifications).toBe(3);
  expect(await login.check('admin', 'right', 'here')).toBeDefined();
  expect(verifications).toBe(3);
  time += 5 * 60_000;
  expect(await login.check('admin', 'right', 'here')).toBeDefined();
  expect(verifications).toBe(4);
});
