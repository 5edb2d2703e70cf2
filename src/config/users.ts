import { resolve } from 'node:path';
import type { UserConfig } from './app-config.js';
import { ConfigError } from './errors.js';

const FIELDS = ['name', 'roles', 'passwordHash', 'passwordFile'];

/**
 * Reads the list of users of a file; what the fields may hold is checked where users are made of them.
 * @param where the key and the file, for errors
 * @param base the folder that relative paths start from
 * @throws ConfigError naming the entry and the field
 */
export function readUserList(value: unknown, where: string, base: string): UserConfig[] {
  if (!Array.isArray(value))
    throw new ConfigError(`${where.charAt(0).toUpperCase()}${where.slice(1)} must be a list of users.`);
  return value.map((entry: unknown, index) => {
    const at = `Entry ${index + 1} of ${where}`;
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      throw new ConfigError(`${at} must have the keys ${FIELDS.join(', ')}.`);
    }
    const unknown = Object.keys(entry).find((field) => !FIELDS.includes(field));
    if (unknown !== undefined) throw new ConfigError(`${at} has the unknown key "${unknown}".`);
    const { name, roles, passwordHash, passwordFile } = entry as Record<string, unknown>;
    if (typeof name !== 'string') throw new ConfigError(`${at} needs a name, as text.`);
    if (!isTextList(roles)) throw new ConfigError(`${at} needs roles, a list of texts.`);
    if (!isTextOrNothing(passwordHash)) throw new ConfigError(`${at} has a passwordHash that is no text.`);
    if (!isTextOrNothing(passwordFile)) throw new ConfigError(`${at} has a passwordFile that is no text.`);
    return {
      name,
      roles,
      ...(passwordHash ? { passwordHash } : {}),
      ...(passwordFile ? { passwordFile: resolve(base, passwordFile) } : {}),
    };
  });
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isTextOrNothing(value: unknown): value is string | null | undefined {
  return value === undefined || value === null || typeof value === 'string';
}
