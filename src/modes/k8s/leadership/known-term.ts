import { MOST_TERM } from './term.js';

/**
 * The highest of these terms that is believed to have been led. What somebody has made up by hand must not use up the numbers that
 * are left; such a record refuses writes, and is looked at then (`RefusedWrites`).
 */
export function highestKnown(terms: Iterable<number>): number {
  let highest = 0;
  for (const term of terms) if (term > highest && term <= MOST_TERM) highest = term;
  return highest;
}
