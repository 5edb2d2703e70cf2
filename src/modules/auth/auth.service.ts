import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AccessError } from '@symphony/model';
import { ADMIN, assertAuthUsable, type AuthOptions } from './auth-options.js';
import { Login } from './login.js';
import type { Principal } from './principal.js';
import { SigningKeyStore } from './signing-key-store.js';
import { Tokens } from './tokens.js';
import { readUsers, type User } from './users.js';

/** The injection token of {@link AuthOptions}. */
export const AUTH_OPTIONS = Symbol('AuthOptions');

/** Turns names and passwords into tokens, and tokens into principals. */
@Injectable()
export class AuthService implements OnModuleInit {
  private readonly logger = new Logger('Auth');
  private readonly tokens: Tokens;
  private users: ReadonlyMap<string, User> = new Map();
  private login: Login | undefined;

  constructor(
    @Inject(AUTH_OPTIONS) private readonly options: AuthOptions,
    keys: SigningKeyStore,
  ) {
    // Here too, whoever puts the application together: an open administrator must not depend on a caller's memory.
    assertAuthUsable(options);
    this.tokens = new Tokens(keys);
  }

  async onModuleInit(): Promise<void> {
    this.users = await readUsers(this.options);
    this.login = new Login(this.users);
    await this.tokens.prepare();
    if (!this.options.adminPassword) {
      this.logger.warn(
        `No administrator password is set: everybody on this machine can log in as ${ADMIN} with an empty one. ` +
          'To set one, set SYMPHONY_ADMIN_PASSWORD_FILE to the path of a file that holds it.',
      );
    }
  }

  /**
   * @param address of the caller, for the limit on failed logins
   * @throws AccessError (401), TooManyLoginsError (429), UnavailableError (503)
   */
  async authenticate(
    name: string,
    password: string,
    address: string,
  ): Promise<{ token: string; principal: Principal }> {
    const user = await this.login?.check(name, password, address);
    if (!user) {
      this.logger.warn({ msg: 'A login failed', address });
      throw new AccessError(401, 'The user name or the password is wrong.', 'LoginFailed');
    }
    return { token: await this.tokens.issue(user), principal: principal(user) };
  }

  /**
   * Who holds this token.
   * @throws AccessError (401), UnavailableError (503) when the key cannot be read
   */
  async identify(token: string): Promise<Principal> {
    const user = await this.tokens.userOf(token, this.users);
    if (user) return principal(user);
    throw new AccessError(
      401,
      'The token is not valid (any more): log in again with POST /v1alpha2/users/auth.',
      'TokenInvalid',
    );
  }
}

function principal({ name, roles }: User): Principal {
  return { name, roles };
}
