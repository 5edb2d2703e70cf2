// Prints where Helm is, for the tests of the chart; fetches it first when it is not there. `--find` fetches nothing: its exit
// code tells whether Helm can be had.
import { ensureHelm, findHelm } from './lib/helm.mjs';

if (process.argv.includes('--find')) {
  const { program, problem } = findHelm();
  if (problem) console.error(problem);
  else console.log(program ?? 'can be fetched');
  process.exitCode = problem ? 1 : 0;
} else {
  console.log(ensureHelm());
}
