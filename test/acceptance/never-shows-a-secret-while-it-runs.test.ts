import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.js';
import { OddScripts } from '../support/odd-scripts.js';

const SECRET = 'the-s3cret-of-the-database';

let root: string;
let scripts: OddScripts;
let engine: TestEngine;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'symphony-secrets-'));
  scripts = await OddScripts.make();
  engine = await TestEngine.start({
    config: { 'secrets.folder': root, 'providers.script.allowedFolders': scripts.folder },
  });
  const folder = join(root, engine.place.namespace, 'db');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'password'), SECRET);
});
afterAll(async () => {
  await engine.stop();
  await scripts.drop();
  await rm(root, { recursive: true, force: true });
});

test('what a target says of one component, while the run waits for another', async () => {
  const health = { status: 'unhealthy', message: `It does not start with ${SECRET}.` };
  const found = join(scripts.folder, 'found.json');
  await writeFile(found, JSON.stringify([{ name: 'sick', health }]));
  const go = join(scripts.folder, 'go');
  const topologies = await scripts.topologies('t', {
    get: `if [ -f "$folder/applied" ]; then cat '${found}'; else echo '[]'; fi >"$out"`,
    apply: `if grep -q '"slow"' "$2"; then until [ -f '${go}' ]; do sleep 0.1; done; fi; echo '{}' >"$out"`,
  });
  const sick = { name: 'sick', properties: { password: '${{$secret(db,password)}}' } };
  await engine.target('t', { topologies });
  await engine.solution('app', [sick]);
  await engine.instance('app', { solution: 'app', target: { name: 't' } });
  await engine.settled('instances', 'app');

  await engine.solution('app', [sick, { name: 'slow' }]);
  const queue = async (): Promise<string> =>
    (await engine.request('GET', '/solution/queue?instance=app')).text;
  const shown = await engine.until(
    'the summary of the run under way to quote the target',
    async () => {
      const text = await queue();
      return text.includes('It does not start') ? text : undefined;
    },
    queue,
  );
  expect(shown).toContain('It does not start with •••.');
  expect(shown).not.toContain(SECRET);
  await writeFile(go, '');
  await engine.until('the run to end', async () =>
    (await engine.get('instances', 'app'))?.status?.reason === 'Unhealthy' ? true : undefined,
  );
  expect(await queue()).not.toContain(SECRET);
});
