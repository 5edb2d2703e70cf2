// Time from the first POST until all instances are Succeeded, on the mock provider: the engine's own share of a deployment.
import { startEngine } from './lib/engine.js';
import { allSucceeded, declare, forEach, instanceSpec } from './lib/fixtures.js';
import { describeMachine, postgresText, quick, say, table } from './lib/report.js';

const SIZES = quick ? [20, 50] : [100, 500, 1000];
const TARGETS = 10;

const rows: (string | number)[][] = [];
for (const size of SIZES) {
  const engine = await startEngine();
  try {
    if (rows.length === 0) {
      say('converge: from the first POST until all instances are Succeeded');
      describeMachine(postgresText(engine.postgres));
    }
    await declare(engine, TARGETS);
    const before = await engine.usage();
    const began = performance.now();
    const post = async (i: number): Promise<number> => {
      await engine.client.instance(`app-${i}`, instanceSpec(i, TARGETS));
      return performance.now() - began;
    };
    const [answered] = await Promise.all([forEach(size, post), allSucceeded(engine, size)]);
    const posted = Math.max(...answered);
    const ms = performance.now() - began;
    const after = await engine.usage();
    rows.push([
      size,
      posted / 1000,
      ms / 1000,
      (size / ms) * 1000,
      ((after.engineCpu - before.engineCpu) / size) * 1000,
      ((after.databaseCpu - before.databaseCpu) / size) * 1000,
      after.peakRss,
    ]);
  } finally {
    await engine.stop();
  }
}
table(
  [
    'instances',
    'all posted s',
    'all Succeeded s',
    'per second',
    'engine CPU ms each',
    'database CPU ms each',
    'engine peak MiB',
  ],
  rows,
);
