import { createHmac, randomBytes } from 'node:crypto';
import { UnavailableError, SymphonyError } from '@symphony/model';
import { LoginLimiter } from './login-limiter.js';
import { hashPassword, passwordWork, verifyPassword } from './passwords.js';
import type { User } from './users.js';

/** Symphony's clients log in before every call: within this time the slow hash is not computed again. */
const REMEMBER_MS = 5 * 60_000;
/** Verifications that may wait, some 10 ms each; more would only wait to be too late. */
const MAX_PASSWORD_WORK = 200;

/** Too many failed logins: 429. */
export class TooManyLoginsError extends SymphonyError {
  /** @param retryAfterSeconds when the next one is let through */
  constructor(readonly retryAfterSeconds: number) {
    super(
      'TooManyLogins',
      429,
      `Too many failed logins for this user from this address; try again in ${retryAfterSeconds} seconds.`,
    );
  }
}

/** Checks names and passwords: the slow way once, then by memory for a while. */
export class Login {
  /** Of this process only: what it digests is never written anywhere. */
  readonly #digestKey = randomBytes(32);
  /** Until when (milliseconds of the clock) a digest of (name, hash, password) is known to be good; one for each user. */
  readonly #remembered = new Map<string, { digest: string; until: number }>();
  /** Equal logins at the same time share one verification. */
  readonly #running = new Map<string, Promise<boolean>>();
  readonly #limiter: LoginLimiter;
  readonly #nobody: Promise<string>;

  /**
   * @param now a monotonic clock in milliseconds
   * @param verifies whether a password has a hash; slow by design
   */
  constructor(
    private readonly users: ReadonlyMap<string, User>,
    private readonly now: () => number = () => performance.now(),
    private readonly verifies: typeof verifyPassword = verifyPassword,
  ) {
    this.#limiter = new LoginLimiter(now);
    this.#nobody = hashPassword(randomBytes(16).toString('hex'));
    // A rejection is met again, and handled, by whoever awaits it.
    this.#nobody.catch(() => undefined);
  }

  /**
   * The user, or undefined when there is none with this name and password; the two take the same time.
   * @param address of the caller
   * @throws TooManyLoginsError (429), UnavailableError (503) when more verifications wait than could be served
   */
  async check(name: string, password: string, address: string): Promise<User | undefined> {
    const bucket = `${address} ${name}`;
    const wait = this.#limiter.waitFor(bucket);
    // Also for a remembered password: else the memory would tell right guesses from wrong ones at full speed.
    if (wait > 0) throw new TooManyLoginsError(Math.ceil(wait / 1000));
    const user = this.users.get(name);
    const digest = this.#digest(name, user?.passwordHash ?? '', password);
    if (user && this.#remembers(name, digest)) return user;
    const good = await this.#verifyOnce(`${address} ${digest}`, bucket, user, password);
    if (!user || !good) return undefined;
    this.#remembered.set(name, { digest, until: this.now() + REMEMBER_MS });
    return user;
  }

  #remembers(name: string, digest: string): boolean {
    const known = this.#remembered.get(name);
    if (!known || known.digest !== digest) return false;
    if (known.until > this.now()) return true;
    this.#remembered.delete(name);
    return false;
  }

  #verifyOnce(id: string, bucket: string, user: User | undefined, password: string): Promise<boolean> {
    const running = this.#running.get(id);
    if (running) return running;
    if (passwordWork() >= MAX_PASSWORD_WORK) {
      throw new UnavailableError('Too many logins at the same time; try again in a few seconds.', 'TooBusy');
    }
    this.#limiter.take(bucket);
    const verification = this.#verify(user, password)
      .then((good) => {
        if (good) this.#limiter.giveBack(bucket);
        return good;
      })
      .finally(() => this.#running.delete(id));
    this.#running.set(id, verification);
    return verification;
  }

  /** Does the same work for a name that nobody has, so that time does not tell which names exist. */
  async #verify(user: User | undefined, password: string): Promise<boolean> {
    const good = await this.verifies(user?.passwordHash ?? (await this.#nobody), password);
    return user !== undefined && good;
  }

  /** An HMAC, so that comparing two of them leaks nothing about a password. */
  #digest(...parts: string[]): string {
    return createHmac('sha256', this.#digestKey).update(JSON.stringify(parts)).digest('base64url');
  }
}
