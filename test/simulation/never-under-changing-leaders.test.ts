import { expect, test } from 'vitest';
import { simulate } from './simulate.js';

/** A few for each change; more by `SYMPHONY_SIMULATION_SEEDS`, many by `node scripts/simulate.mjs --lanes memory`. */
const SEEDS = Number(process.env.SYMPHONY_SIMULATION_SEEDS ?? 40);

test(
  `${SEEDS} random lives break no rule on lanes in memory, while leaders come and go`,
  { timeout: 60_000 + SEEDS * 2_000 },
  async () => {
    let leaders = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations, counts } = await simulate({ seed, lanes: 'memory' });
      leaders += counts.leaders;
      expect(violations, `replay: node scripts/simulate.mjs --lanes memory --seed ${seed} --trace`).toEqual(
        [],
      );
    }
    expect(leaders).toBeGreaterThan(SEEDS / 4);
  },
);

test('the same seed gives the same life there', async () => {
  const life = async (seed: number): Promise<string> => {
    const lines: string[] = [];
    const { fingerprint, counts } = await simulate({
      seed,
      lanes: 'memory',
      trace: (line) => lines.push(line),
    });
    return [...lines, fingerprint, JSON.stringify(counts)].join('\n');
  };
  for (const seed of [3, 4, 5]) expect(await life(seed)).toBe(await life(seed));
});

test('a lost fence is found there as well', { timeout: 60_000 }, async () => {
  const rules = new Set<string>();
  for (let seed = 1; seed <= 60 && rules.size === 0; seed++) {
    const { violations } = await simulate({ seed, lanes: 'memory', bug: 'lost-fence' });
    for (const { rule } of violations) rules.add(rule);
  }
  expect(rules).toContain('late-write');
});
