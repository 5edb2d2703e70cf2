import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { builtMain } from '../../support/built.js';
import { EngineProcess } from '../../support/engine-process.js';
import { createTestDatabase } from '../../support/postgres.js';

const RECORDER = new URL('record-modules.mjs', import.meta.url).href;

beforeAll(async () => void (await builtMain()), 300_000);

it('an engine that serves in standalone mode has loaded nothing of Kubernetes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'symphony-modules-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'modules');
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const engine = await EngineProcess.start({
    databaseUrl: database.url,
    env: { NODE_OPTIONS: `--import=${RECORDER}`, MODULES_FILE: file },
  });
  onTestFinished(async () => void (await engine.stop()));
  const modules = (await readFile(file, 'utf8')).split('\n');
  // The record is whole: the last modules that a start loads are those of the mode.
  expect(modules.some((url) => url.includes('/modes/standalone/'))).toBe(true);
  expect(modules.filter((url) => /@kubernetes\/client-node|\/modes\/k8s\//.test(url))).toEqual([]);
});
