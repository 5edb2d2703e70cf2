import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { conformance, type ConformanceHarness } from '@symphony/provider-kit/conformance';
import { ScriptFolder, until } from './script-folder.fixture.js';

/** The provider with the sample's scripts, really executed. */
async function makeHarness(): Promise<ConformanceHarness> {
  const folder = await ScriptFolder.make();
  const place = join(folder.state, 'default');
  const files = async (): Promise<string[]> =>
    (await readdir(place).catch(() => [])).sort((a, b) => (a < b ? -1 : 1));
  return {
    provider: folder.provider(),
    call: folder.target(),
    component: (name, revision, secret = '') => ({
      name,
      properties: { content: `revision ${revision}\n${secret}` },
    }),
    async look() {
      const names = (await files()).filter((name) => !name.startsWith('.'));
      const contents = await Promise.all(names.map((name) => readFile(join(place, name), 'utf8')));
      return Object.fromEntries(names.map((name, index) => [name, contents[index] ?? '']));
    },
    async writes() {
      const stats = await Promise.all(
        (await files()).map((name) => stat(join(place, name), { bigint: true })),
      );
      return stats.map(({ ino, mtimeNs }) => `${ino}:${mtimeNs}`).join(' ');
    },
    async makeUnreadable() {
      await rm(folder.state, { recursive: true });
      await writeFile(folder.state, 'not a folder');
    },
    async makeHang() {
      for (const name of ['get.sh', 'apply.sh'] as const) {
        await folder.script(name, 'touch "$root/stuck"; sleep 600; echo "[]" >"$out"');
      }
      const seen = async (): Promise<boolean> => (await readdir(folder.root)).includes('stuck');
      return { stuck: until(seen, 'the script hanging') };
    },
    makeFail: () => folder.script('apply.sh', 'cat "$2" >&2; exit 3'),
    dispose: () => folder.dispose(),
  };
}

conformance('the script provider', makeHarness, { describe, it, delay });
