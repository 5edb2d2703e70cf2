// Builds everything that `node dist/main` needs: each lib on its own first (its package.json points at its dist),
// then the application, which is what keeps the output at dist/main.js.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT, writeBuildStamp } from './lib/prepare.mjs';

const require = createRequire(import.meta.url);

function run(script, args) {
  const result = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

if (process.argv.includes('--clean')) {
  for (const lib of readdirSync(join(ROOT, 'libs'), { withFileTypes: true })) {
    if (lib.isDirectory()) rmSync(join(ROOT, 'libs', lib.name, 'dist'), { recursive: true, force: true });
  }
}
run(require.resolve('typescript/bin/tsc'), ['-b', 'libs']);
run(require.resolve('@nestjs/cli/bin/nest.js'), ['build']);
writeBuildStamp();
