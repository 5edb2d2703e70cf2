import { createHmac, createSecretKey, randomUUID, timingSafeEqual, type KeyObject } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { SIGNING_KEY_BYTES, type SigningKeyStore } from './signing-key-store.js';
import type { User } from './users.js';

const ISSUER = 'symphony';
const AUDIENCE = 'symphony-api';
const ALGORITHM = 'HS256';
const LIFETIME_SECONDS = 24 * 60 * 60;
/** Replicas' clocks differ a little. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** Good tokens that are remembered; the oldest make room. */
const MAX_REMEMBERED = 1_000;

/** What a good token says. */
interface Claims {
  name: string;
  mark: string;
  /** Seconds since 1970. */
  expires: number;
}

/** Issues and checks bearer tokens: JWTs of HS256 under the key of the store. */
export class Tokens {
  #key: Promise<KeyObject> | undefined;
  /** Clients send the same token with each request, and checking a signature costs as much as the rest of a small one. */
  readonly #good = new Map<string, Claims>();
  readonly #marks = new WeakMap<object, string>();

  constructor(private readonly store: SigningKeyStore) {}

  /** Loads the key now rather than with the first token. */
  async prepare(): Promise<void> {
    await this.#loadKey();
  }

  async issue(user: Pick<User, 'name' | 'credential'>): Promise<string> {
    const key = await this.#loadKey();
    return new SignJWT({ user: user.name, crd: credentialMark(key, user) })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(user.name)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(`${LIFETIME_SECONDS}s`)
      .setJti(randomUUID())
      .sign(key);
  }

  /**
   * The user a token was issued to, or undefined for a token that is not good (forged, expired, for somebody who is no
   * longer a user, or issued for a password that has been changed since).
   * @throws UnavailableError when the key cannot be read
   */
  async userOf(token: string, users: ReadonlyMap<string, User>): Promise<User | undefined> {
    const key = await this.#loadKey();
    const claims = await this.#claimsOf(token, key);
    const user = claims && users.get(claims.name);
    if (!user) return undefined;
    return sameText(claims.mark, this.#markOf(user, key)) ? user : undefined;
  }

  async #claimsOf(token: string, key: KeyObject): Promise<Claims | undefined> {
    const known = this.#good.get(token);
    if (known && Date.now() < known.expires * 1000) return known;
    this.#good.delete(token);
    const claims = await verified(token, key);
    if (!claims) return undefined;
    const [oldest] = this.#good.keys();
    if (this.#good.size >= MAX_REMEMBERED && oldest !== undefined) this.#good.delete(oldest);
    this.#good.set(token, claims);
    return claims;
  }

  #markOf(user: User, key: KeyObject): string {
    const mark = this.#marks.get(user) ?? credentialMark(key, user);
    this.#marks.set(user, mark);
    return mark;
  }

  #loadKey(): Promise<KeyObject> {
    this.#key ??= this.store.load().then(
      (bytes) => {
        if (bytes.length !== SIGNING_KEY_BYTES)
          throw new Error('The signing key in the data store has a wrong length');
        return createSecretKey(bytes);
      },
      (error: unknown) => {
        // The next caller tries again: an unreachable store must not lock everybody out until a restart.
        this.#key = undefined;
        throw error;
      },
    );
    return this.#key;
  }
}

async function verified(token: string, key: KeyObject): Promise<Claims | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['sub', 'exp', 'nbf', 'jti', 'crd'],
    });
    const { sub, crd, exp = 0 } = payload;
    return typeof sub === 'string' && typeof crd === 'string'
      ? { name: sub, mark: crd, expires: exp }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Ties a token to the password it was issued for. Keyed, since whoever has the token can read it. */
function credentialMark(key: KeyObject, user: Pick<User, 'name' | 'credential'>): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['credential', user.name, user.credential]))
    .digest('base64url')
    .slice(0, 22);
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
