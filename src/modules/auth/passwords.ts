import { hash, verify } from '@node-rs/argon2';
import pLimit from 'p-limit';

/** OWASP's first choice: 19 MiB, two passes, one lane; about 10 ms. `Algorithm.Argon2id` is the library's default. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Each verification holds a thread of the pool that files and name look-ups share (four by default), and 19 MiB. */
const limit = pLimit(2);

/** The argon2id hash of a password in PHC form, with a random salt. */
export async function hashPassword(password: string): Promise<string> {
  return limit(() => hash(password, COST));
}

/** Whether the password has this hash; always false for text that is no hash. */
export async function verifyPassword(passwordHash: string, password: string): Promise<boolean> {
  return limit(() => verify(passwordHash, password).catch(() => false));
}

/** Whether text looks like a hash that {@link verifyPassword} can use. */
export function isPasswordHash(text: string): boolean {
  return /^\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,128}$/.test(
    text,
  );
}

/** Verifications that wait or run, to refuse more before they pile up. */
export function passwordWork(): number {
  return limit.activeCount + limit.pendingCount;
}
