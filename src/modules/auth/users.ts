import { readFileSync } from 'node:fs';
import { ConfigError } from '../../config/errors.js';
import { ROLES, type Role } from './access-policy.js';
import { ADMIN, type AuthOptions, type ConfiguredUser } from './auth-options.js';
import { hashPassword, isPasswordHash } from './passwords.js';

export interface User {
  name: string;
  roles: readonly Role[];
  /** argon2id in PHC form. */
  passwordHash: string;
  /** What the configuration holds for the password: another text means that tokens of before are no longer good. */
  credential: string;
}

const MAX_PASSWORD_FILE = 1024;

/**
 * The users of a configuration by name.
 * @throws ConfigError naming the user and what is wrong
 */
export async function readUsers(options: AuthOptions): Promise<ReadonlyMap<string, User>> {
  const users = new Map<string, User>();
  const password = options.adminPassword ?? '';
  users.set(ADMIN, {
    name: ADMIN,
    roles: ['administrator'],
    passwordHash: await hashPassword(password),
    credential: password,
  });
  for (const configured of options.users) {
    if (users.has(configured.name)) {
      const why =
        configured.name === ADMIN
          ? 'is built in; set its password with auth.adminPasswordFile'
          : 'is there twice';
      throw new ConfigError(`auth.users: the user "${configured.name}" ${why}.`);
    }
    users.set(configured.name, await readUser(configured));
  }
  return users;
}

async function readUser({ name, passwordHash, passwordFile, roles }: ConfiguredUser): Promise<User> {
  const wrong = (what: string) => new ConfigError(`auth.users: the user "${name}" ${what}.`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(name)) {
    throw wrong('needs a name of 1 to 63 letters, digits, ".", "_", "@" or "-"');
  }
  const known = ROLES.filter((role) => roles.includes(role));
  const unknown = roles.find((role) => !isRole(role));
  if (unknown !== undefined) throw wrong(`has the role "${unknown}"; there are ${ROLES.join(', ')}`);
  if (roles.length === 0) throw wrong(`has no role; there are ${ROLES.join(', ')}`);
  if (passwordHash !== undefined && passwordFile === undefined) {
    if (!isPasswordHash(passwordHash))
      throw wrong('has a passwordHash that is no argon2id hash ($argon2id$v=19$…)');
    return { name, roles: known, passwordHash, credential: passwordHash };
  }
  if (passwordFile === undefined || passwordHash !== undefined) {
    throw wrong('needs either a passwordHash or a passwordFile');
  }
  let password: string;
  try {
    password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw wrong(`has the password file ${passwordFile}, which cannot be read (${codeOf(error)})`);
  }
  if (password === '' || password.length > MAX_PASSWORD_FILE) {
    throw wrong(
      `has the password file ${passwordFile}, which must hold one line of 1 to ${MAX_PASSWORD_FILE} characters`,
    );
  }
  return { name, roles: known, passwordHash: await hashPassword(password), credential: password };
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
