/**
 * Runs the deterministic simulation (docs/simulation.md).
 *
 *   node scripts/simulate.mjs --seeds 10000 [--from 1] [--jobs 2] [--stop-at-first]
 *   node scripts/simulate.mjs --seed 42 --trace
 *   node scripts/simulate.mjs --bug lost-fence --seeds 100 --stop-at-first
 *   node scripts/simulate.mjs --lanes memory --seeds 1000        # the lanes of Kubernetes mode
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    bug: { type: 'string', default: '' },
    lanes: { type: 'string', default: 'table' },
    trace: { type: 'boolean', default: false },
    'stop-at-first': { type: 'boolean', default: false },
  },
});
const from = Number(options.seed ?? options.from);
const seeds = options.seed === undefined ? Number(options.seeds) : 1;
const jobs = Math.max(1, Math.min(seeds, Number(options.jobs)));
if (![from, seeds, jobs].every(Number.isInteger)) {
  console.error('--seeds, --from, --seed and --jobs take whole numbers.');
  process.exit(2);
}

if (!['table', 'memory'].includes(options.lanes)) {
  console.error('--lanes is table or memory.');
  process.exit(2);
}

const SHOWN_VIOLATIONS = 5;
const cli = fileURLToPath(new URL('../test/simulation/cli.ts', import.meta.url));
const hooks = new URL('../test/support/typescript-hooks.mjs', import.meta.url).href;
const began = performance.now();
const sums = { seeds: 0, failed: 0, virtualMs: 0, happenings: 0 };
/** @type {Record<string, number>} */
const counts = {};
let shownAt = began;

/** @param {import('../test/simulation/simulate.js').SimulationResult} result */
function take(result) {
  sums.seeds++;
  sums.virtualMs += result.virtualMs;
  sums.happenings += result.happenings;
  for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count;
  if (result.violations.length > 0) {
    sums.failed++;
    console.log(`seed ${result.seed}: ${result.violations.length} violations`);
    for (const { at, rule, what } of result.violations.slice(0, SHOWN_VIOLATIONS)) {
      console.log(`  at ${(at / 1000).toFixed(3)} s ${rule}: ${what}`);
    }
    const bug = options.bug === '' ? '' : ` --bug ${options.bug}`;
    const lanes = options.lanes === 'table' ? '' : ` --lanes ${options.lanes}`;
    console.log(`  replay: node scripts/simulate.mjs --seed ${result.seed} --trace${bug}${lanes}`);
  }
  if (performance.now() - shownAt > 10_000) {
    shownAt = performance.now();
    console.log(`${sums.seeds} of ${seeds} seeds, ${sums.failed} with violations`);
  }
}

/** @type {import('node:child_process').ChildProcess[]} */
const children = [];
const ends = Array.from({ length: jobs }, (_, job) => {
  const first = from + Math.floor((seeds * job) / jobs);
  const next = from + Math.floor((seeds * (job + 1)) / jobs);
  const args = [
    String(first),
    String(next - first),
    options.bug,
    options.trace ? 'trace' : '',
    options.lanes,
  ];
  const child = fork(cli, args, { execArgv: ['--import', hooks] });
  children.push(child);
  child.on('message', (message) => {
    take(/** @type {import('../test/simulation/simulate.js').SimulationResult} */ (message));
    if (sums.failed > 0 && options['stop-at-first']) for (const other of children) other.kill();
  });
  return new Promise((resolve) => child.on('exit', (code) => resolve(code)));
});
const codes = await Promise.all(ends);
const seconds = (performance.now() - began) / 1000;
const hours = sums.virtualMs / 3_600_000;
console.log(
  `${sums.seeds} seeds, ${sums.failed} with violations, ${(sums.seeds / seconds).toFixed(1)} seeds/s, ` +
    `${hours.toFixed(1)} simulated hours in ${seconds.toFixed(0)} s (${(hours / seconds).toFixed(2)} hours per second)`,
);
console.log(
  Object.entries({ ...counts, happenings: sums.happenings })
    .map(([what, count]) => `${count} ${what}`)
    .join(', '),
);
const broke = codes.some((code) => code !== 0) && !options['stop-at-first'];
process.exitCode = sums.failed > 0 || broke ? 1 : 0;
