const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
/** What Go's own type can hold, some 292 years: a moment that far away is still a date. */
const MAX_MS = 2 ** 63 / 1e6;
const PART = /(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)/y;

/** What `parseDuration` can read, in RE2's syntax, which is JavaScript's here. */
export const DURATION_PATTERN = '^(0|(([0-9]+([.][0-9]+)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+)$';

/**
 * Reads a duration in Go's syntax (`1h30m`, `500ms`, `0`), in milliseconds.
 * @returns undefined when the text is not a duration, a negative one, or more than Go can hold (2562047h).
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text === '') return undefined;
  let total = 0;
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (!match) return undefined;
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
    at = PART.lastIndex;
  }
  return total <= MAX_MS ? total : undefined;
}
