import { ConfigError } from '../../config/errors.js';

/** The user that is always there. */
export const ADMIN = 'admin';

/** A user from the configuration; exactly one of `passwordHash` and `passwordFile` is given. */
export interface ConfiguredUser {
  name: string;
  /** An argon2id hash in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$…`. */
  passwordHash?: string;
  /** Path of a file whose one line is the password. */
  passwordFile?: string;
  /** Some of `ROLES`; checked when the engine starts. */
  roles: readonly string[];
}

export interface AuthOptions {
  /** The password of `admin`, in clear. */
  adminPassword?: string;
  users: readonly ConfiguredUser[];
  /** Whether only this machine can connect. Only then `admin` may do without a password. */
  loopback: boolean;
}

/**
 * Whether an address is this machine's own. A name other than `localhost` is not trusted to stay one.
 */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/**
 * Refuses to serve anybody who can reach this machine with an open administrator.
 * @throws ConfigError with a sentence that says how to set a password
 */
export function assertAuthUsable(options: Pick<AuthOptions, 'adminPassword' | 'loopback'>): void {
  if (options.loopback || options.adminPassword) return;
  throw new ConfigError(
    'An administrator password is needed to listen on an address other than loopback: put it in a file and set ' +
      'SYMPHONY_ADMIN_PASSWORD_FILE (or --admin-password-file) to its path, set SYMPHONY_ADMIN_PASSWORD, or listen ' +
      'on this machine only with --host 127.0.0.1.',
  );
}
