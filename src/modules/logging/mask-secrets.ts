/** Names of fields whose values nobody should read. */
export const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'password',
  'secret',
  'token',
  'accessToken',
  'adminPassword',
  'databaseUrl',
  'cookie',
]);
/** Stands for such a value. */
export const CENSOR = '***';
const LEVELS_BELOW = 2;

/**
 * The fields of a line, with `***` for the values of those that are named like a secret, at the top and up to two levels
 * below. What holds none is returned as it is. Pino's own redaction, with paths of wildcards, is three quarters of the cost of a line (46
 * microseconds, with this 12): it looks each path up in each line.
 */
export function maskSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  return masked(fields, LEVELS_BELOW) as Record<string, unknown>;
}

function masked(value: object, levelsBelow: number): object {
  let copy: Record<string, unknown> | undefined;
  for (const [name, held] of Object.entries(value)) {
    const shown = SECRET_FIELDS.has(name) ? CENSOR : maskedBelow(held, levelsBelow);
    if (shown === held) continue;
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>;
    copy[name] = shown;
  }
  return copy ?? value;
}

/** Errors have their own way into a line (describeError). */
function maskedBelow(held: unknown, levelsBelow: number): unknown {
  if (typeof held !== 'object' || held === null || levelsBelow === 0 || held instanceof Error) return held;
  return masked(held, levelsBelow - 1);
}
