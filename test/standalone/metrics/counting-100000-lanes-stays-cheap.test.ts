import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresFigures } from '../../../src/modes/standalone/stores/metrics/postgres-figures.js';
import { openQueue, type QueueFixture } from '../queue/support.js';

const LANES = 100_000;
/** Ten times of what it takes on a busy machine of two cores; a scrape waits for two seconds at most. */
const MOST_MS = 1_500;

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('figures');
  await queue.database.query(
    `INSERT INTO lanes (kind, namespace, name, generation, deleting, cause, order_seq, due_at, result, reason, message)
     SELECT CASE WHEN i % 10 = 0 THEN 'Target' ELSE 'Instance' END, 'ns' || i % 20, 'n' || i, 1, false, 3,
            nextval('lane_order_seq'), now() + (i - 1000) * interval '1 s',
            CASE WHEN i % 50 = 0 THEN 'waiting' ELSE 'succeeded' END,
            CASE WHEN i % 50 = 0 THEN 'SolutionNotFound' ELSE 'Succeeded' END, repeat('x', 200)
     FROM generate_series(1, $1::int) AS i`,
    [LANES],
  );
});
afterAll(() => queue.close());

test('100,000 lanes are counted within the time that a scrape waits, also before the first ANALYZE', async () => {
  const figures = new PostgresFigures(queue.database);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await figures.read();
    times.push(performance.now() - began);
  }
  const { lanes, due } = await figures.read();
  expect(lanes.reduce((sum, { count }) => sum + count, 0)).toBe(LANES);
  expect(lanes).toContainEqual({
    kind: 'Target',
    state: 'stalled',
    reason: 'SolutionNotFound',
    count: LANES / 50,
  });
  expect(due).toEqual([{ cause: 'periodic', count: expect.any(Number), oldestSeconds: expect.any(Number) }]);
  expect(due[0]?.count).toBeGreaterThanOrEqual(999);
  expect(due[0]?.oldestSeconds).toBeGreaterThanOrEqual(999);
  expect(Math.min(...times), `took ${times.map(Math.round).join(', ')} ms`).toBeLessThan(MOST_MS);
});
