// The programs of the tests' Kubernetes control plane: builds them if needed and prints their folder, for
// `KUBEBUILDER_ASSETS="$(node scripts/control-plane.mjs)"`. With --find it builds nothing: it prints the folder, or
// nothing when they could be built. Exit code 1 and a sentence when there is no way to have them.
import { ensureControlPlane, findControlPlane } from './lib/control-plane.mjs';

try {
  if (process.argv.includes('--find')) {
    const { assets, problem } = findControlPlane();
    if (problem) throw new Error(problem);
    if (assets) console.log(assets);
  } else {
    console.log(await ensureControlPlane((sentence) => console.error(sentence)));
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
