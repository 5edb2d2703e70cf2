import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDataSource } from '../../src/modes/standalone/database/data-source.js';
import { Database } from '../../src/modes/standalone/database/database.js';
import { migrate } from '../../src/modes/standalone/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { playWithCrash } from './crash-points.js';

/** One point in so many, spread over the scenario; `SYMPHONY_CRASH_POINTS=all` takes each of them. */
const EVERY = process.env.SYMPHONY_CRASH_POINTS === 'all' ? 1 : 16;

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase('crash_points');
  const dataSource = createDataSource({
    url: testDatabase.url,
    poolSize: 8,
    applicationName: 'crash-points',
  });
  await dataSource.initialize();
  await migrate(dataSource);
  database = new Database(dataSource);
});

afterAll(async () => {
  await database.dataSource.destroy();
  await testDatabase.drop();
});

test('wherever the engine is cut off, it ends as if it had not been', { timeout: 900_000 }, async () => {
  const whole = await playWithCrash(database, undefined);
  const points = Array.from({ length: whole.points.length }, (_, index) => index + 1);
  const tested = points.filter((at) => at % EVERY === 0);
  let extra = 0;
  let most = 0;
  for (const at of tested) {
    const result = await playWithCrash(database, at);
    expect(result.states, `cut off at point ${at}, ${result.where ?? 'never reached'}`).toEqual(whole.states);
    extra += Math.max(0, result.applies - whole.applies);
    most = Math.max(most, result.applies - whole.applies);
  }
  process.stdout.write(
    `${tested.length} of ${points.length} crash points, all as without a crash; ${whole.applies} provider calls without, ` +
      `${extra} more in all with a crash each, at most ${most} more for one\n`,
  );
});
