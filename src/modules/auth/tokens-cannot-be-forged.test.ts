import { randomBytes } from 'node:crypto';
import { UnavailableError } from '@symphony/model';
import { decodeJwt, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { SigningKeyStore } from './signing-key-store.js';
import { Tokens } from './tokens.js';
import type { User } from './users.js';

class FixedKey extends SigningKeyStore {
  failures = 0;
  constructor(readonly key: Uint8Array) {
    super();
  }
  override load(): Promise<Uint8Array> {
    if (this.failures-- > 0) return Promise.reject(new UnavailableError('away'));
    return Promise.resolve(this.key);
  }
}

const key = randomBytes(32);
const ann: User = { name: 'ann', roles: ['reader'], passwordHash: 'h', credential: 'c' };
const users = new Map([['ann', ann]]);
const tokens = new Tokens(new FixedKey(key));

/** A token of ours with some claims or headers changed, signed with the right key. */
async function resigned(
  change: Record<string, unknown>,
  header: Record<string, unknown> = {},
): Promise<string> {
  const payload: Record<string, unknown> = { ...decodeJwt(await tokens.issue(ann)), ...change };
  for (const name of Object.keys(payload)) if (payload[name] === undefined) delete payload[name];
  return new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}

test('a token tells its user, lives a day, and no two are the same', async () => {
  const token = await tokens.issue(ann);
  expect(await tokens.userOf(token, users)).toBe(ann);
  const { iss, iat = 0, exp = 0, jti } = decodeJwt(token);
  expect(iss).toBe('symphony');
  expect(exp - iat).toBe(24 * 60 * 60);
  expect(jti).not.toBe(decodeJwt(await tokens.issue(ann)).jti);
  expect(JSON.stringify(decodeJwt(token))).not.toContain('"c"');
});

describe('never accepted:', () => {
  const now = Math.floor(Date.now() / 1000);
  test.each<[string, () => Promise<string> | string]>([
    ['nonsense', () => 'a.b.c'],
    ['one without a signature', () => new UnsecuredJWT({ sub: 'ann', iss: 'symphony' }).encode()],
    ['another key', () => new Tokens(new FixedKey(randomBytes(32))).issue(ann)],
    ["the key that Symphony's source shows", () => forged('SymphonyKey'.padEnd(32, '\0'))],
    ['another algorithm with the right key', () => resigned({}, { alg: 'HS512' })],
    [
      'a key pair of the caller',
      async () => {
        const { privateKey } = await generateKeyPair('ES256');
        return new SignJWT(decodeJwt(await tokens.issue(ann)))
          .setProtectedHeader({ alg: 'ES256' })
          .sign(privateKey);
      },
    ],
    ['an expired one', () => resigned({ exp: now - 60 })],
    ['one that never expires', () => resigned({ exp: undefined })],
    ['one of the future', () => resigned({ nbf: now + 120 })],
    ['another issuer', () => resigned({ iss: 'else' })],
    ['another audience', () => resigned({ aud: 'else' })],
    ['somebody who is no user', () => resigned({ sub: 'eve' })],
    ['a subject that is no text', () => resigned({ sub: ['ann'] })],
    ['no mark of the password', () => resigned({ crd: undefined })],
    ['an odd mark of the password', () => resigned({ crd: 'é' })],
  ])('%s', async (_what, make) => {
    expect(await tokens.userOf(await make(), users)).toBeUndefined();
  });

  async function forged(secret: string): Promise<string> {
    const payload = decodeJwt(await tokens.issue(ann));
    return new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  }

  test('a token of before the password was changed', async () => {
    const token = await tokens.issue(ann);
    expect(await tokens.userOf(token, new Map([['ann', { ...ann, credential: 'new' }]]))).toBeUndefined();
  });
});

test('a changed signature is noticed, wherever it changed', async () => {
  const token = await tokens.issue(ann);
  const start = token.lastIndexOf('.') + 1;
  for (let at = start; at < token.length - 1; at += 5) {
    const other = token[at] === 'A' ? 'B' : 'A';
    expect(await tokens.userOf(token.slice(0, at) + other + token.slice(at + 1), users)).toBeUndefined();
  }
});

test('a token that was good before is refused once it has expired, its password changed, or its user gone', async () => {
  const token = await tokens.issue(ann);
  expect(await tokens.userOf(token, users)).toBe(ann);
  expect(await tokens.userOf(token, new Map())).toBeUndefined();
  expect(await tokens.userOf(token, new Map([['ann', { ...ann, credential: 'new' }]]))).toBeUndefined();
  vi.useFakeTimers({ now: Date.now() + 24 * 60 * 60 * 1000 + 60_000, toFake: ['Date'] });
  try {
    expect(await tokens.userOf(token, users)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
  expect(await tokens.userOf(token, users)).toBe(ann);
});

test('a store that was away when the key was first needed does not lock everybody out', async () => {
  const store = new FixedKey(key);
  store.failures = 1;
  const late = new Tokens(store);
  await expect(late.issue(ann)).rejects.toBeInstanceOf(UnavailableError);
  expect(await late.userOf(await late.issue(ann), users)).toBe(ann);
});
