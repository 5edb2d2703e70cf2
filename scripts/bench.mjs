// `npm run bench`: measures the engine on this machine. `npm run bench -- queue idle` takes these only, `--quick` small
// sizes that show no more than that the benches work. docs/benchmarks.md says what each one measures.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail, prepare, ROOT } from './lib/prepare.mjs';

const BENCHES = ['queue', 'lanes', 'converge', 'latency', 'idle', 'fanout', 'start', 'kubernetes'];
const args = process.argv.slice(2);
const unknown = args.find((arg) => arg !== '--quick' && !BENCHES.includes(arg));
if (unknown !== undefined)
  fail(`There is no bench ${unknown}; there are ${BENCHES.join(', ')}, and --quick.`, 2);

prepare();
const wanted = BENCHES.filter((bench) => args.includes(bench));
for (const bench of wanted.length > 0 ? wanted : BENCHES) {
  // One process after the other: nothing of a bench is left in memory while the next one measures.
  const { status, signal } = spawnSync(
    process.execPath,
    [
      '--import',
      './test/support/typescript-hooks.mjs',
      join('test', 'bench', `${bench}.ts`),
      ...args.filter((arg) => arg === '--quick'),
    ],
    { cwd: ROOT, stdio: 'inherit' },
  );
  if (status !== 0) fail(`The bench ${bench} failed (${signal ?? `exit code ${status}`}).`);
}
