// Sums up the parts of a CI run: `node scripts/ci-summary.mjs <folder>`. Each part left `<name>.exit`, and a part
// of tests `<name>.json` (vitest's report) beside it. A part without tests counts as one.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [folder = '.'] = process.argv.slice(2);
const total = { passed: 0, failed: 0 };

console.log('');
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.exit'))
  .sort()) {
  const name = basename(file, '.exit');
  const ok = readFileSync(join(folder, file), 'utf8').trim() === '0';
  const { passed, failed, skipped } = counted(join(folder, `${name}.json`), ok);
  total.passed += passed;
  total.failed += failed;
  console.log(
    `${failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`,
  );
}
if (total.passed + total.failed === 0) total.failed = 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);

function counted(report, ok) {
  const found = readReport(report);
  if (!found) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = found;
  // A suite that could not be loaded, or an error between tests, fails the part without failing a test.
  const failed = numFailedTests === 0 && !ok ? 1 : numFailedTests;
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
}

/** Nothing for a part without tests, and for one that was ended before it wrote its report. */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
