import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeControlPlane } from '../support/control-plane/index.js';
import { installCustomResources } from '../support/custom-resources.js';
import { startKubernetesEngine } from '../support/kubernetes-engine.js';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/kubernetes/first-steps.md');
const BLOCK = /```console\n([\s\S]*?)```/g;
const TEST_MS = 180_000;

/** Without what differs from run to run: ages in tables, and the hashes in names. */
function settled(output: string): string {
  return output
    .replaceAll(/(?<= {2})(\d+[smh])+(?= |$)/gm, (age) => '1s'.padEnd(age.length))
    .replaceAll(/\.[0-9a-f]{16}\b/g, '.0123456789abcdef')
    .replaceAll(/ +$/gm, '')
    .trimEnd();
}

/** Ages make columns wider. */
const closeUp = (text: string): string => text.replaceAll(/ +/g, ' ');

/** As a shell takes them, of which only the single quotes are used. */
const wordsOf = (command: string): string[] =>
  (command.match(/(?:[^\s']|'[^']*')+/g) ?? []).map((word) => word.replaceAll("'", ''));

describeControlPlane('docs/kubernetes/first-steps.md', (plane) => {
  let close = (): Promise<void> => Promise.resolve();
  beforeAll(async () => {
    const { cluster } = plane();
    await installCustomResources(cluster);
    ({ close } = await startKubernetesEngine({ kubeconfig: cluster.kubeconfigFile, home: 'default' }));
  });
  afterAll(() => close());

  async function answerTo(command: string): Promise<string> {
    const [program, ...args] = wordsOf(command);
    expect(program).toBe('kubectl');
    const paths = args.map((arg) => (arg.startsWith('samples/') ? join(ROOT, arg) : arg));
    const { stdout, stderr } = await plane().cluster.tryKubectl(paths, { timeoutMs: 60_000 });
    return settled(stdout + stderr);
  }

  test(
    'each command answers what the page says',
    async () => {
      const page = readFileSync(PAGE, 'utf8');
      let written = page;
      for (const [block = '', text = ''] of page.matchAll(BLOCK)) {
        const commands = text.split('\n').filter((line) => line.startsWith('$ '));
        const answers: string[] = [];
        for (const line of commands) answers.push(`${line}\n${await answerTo(line.slice(2))}`.trimEnd());
        const transcript = `\`\`\`console\n${answers.join('\n')}\n\`\`\``;
        written = written.replace(block, () => transcript);
        if (process.env['UPDATE_DOCS'] === undefined) expect(closeUp(transcript)).toBe(closeUp(block));
      }
      if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(PAGE, written);
    },
    TEST_MS,
  );
});
