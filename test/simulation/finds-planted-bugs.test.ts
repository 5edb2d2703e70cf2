import { expect, test } from 'vitest';
import { BROKEN_RULE, PLANTED_BUGS } from './planted-bugs.js';
import { simulate } from './simulate.js';

const SEEDS = 100;

test.for(PLANTED_BUGS)('finds the planted bug %s', { timeout: 120_000 }, async (bug) => {
  let found: number | undefined;
  for (let seed = 1; seed <= SEEDS && found === undefined; seed++) {
    const { violations } = await simulate({ seed, bug });
    if (violations.some(({ rule }) => rule === BROKEN_RULE[bug])) found = seed;
  }
  expect(found, `not one of ${SEEDS} seeds found it`).toBeDefined();
  process.stdout.write(
    `${bug} is found by: node scripts/simulate.mjs --seed ${found} --bug ${bug} --trace\n`,
  );
});
