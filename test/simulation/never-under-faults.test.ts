import { expect, test } from 'vitest';
import { simulate } from './simulate.js';

/** A few for each change; more by `SYMPHONY_SIMULATION_SEEDS`, many by `node scripts/simulate.mjs`. */
const SEEDS = Number(process.env.SYMPHONY_SIMULATION_SEEDS ?? 60);

test(`${SEEDS} random lives of an engine break no rule`, { timeout: 60_000 + SEEDS * 2_000 }, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = await simulate({ seed });
    expect(violations, `replay: node scripts/simulate.mjs --seed ${seed} --trace`).toEqual([]);
  }
});

test('the same seed gives the same life', async () => {
  const life = async (seed: number): Promise<string> => {
    const lines: string[] = [];
    const { fingerprint, counts } = await simulate({ seed, trace: (line) => lines.push(line) });
    return [...lines, fingerprint, JSON.stringify(counts)].join('\n');
  };
  for (const seed of [3, 4, 5]) expect(await life(seed)).toBe(await life(seed));
});
