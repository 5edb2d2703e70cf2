// Writes the CustomResourceDefinitions, which are made from the classes of libs/model (docs/kubernetes/crds.md).
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import '../test/support/typescript-hooks.mjs';
import { ROOT } from './lib/prepare.mjs';

const { crdFiles } = await import('../src/modes/k8s/crds/index.ts');
for (const { path, text } of crdFiles()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
  console.log(path);
}
