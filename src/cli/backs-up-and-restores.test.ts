import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TestEngine } from '../../test/support/engine.js';
import { createTestDatabase } from '../../test/support/postgres.js';
import { run } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'symphony-backup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function symphony(...argv: string[]): Promise<{ code: number | undefined; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await run(argv, {}, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

test('what an engine holds is backed up beside it and is there after a restore elsewhere', async () => {
  const file = join(folder, 'symphony.backup');
  const [from, to] = [await createTestDatabase(), await createTestDatabase()];
  const engine = await TestEngine.start({ databaseUrl: from.url });
  const written = await engine.request('POST', '/targets/registry/t1', {
    metadata: { name: 't1' },
    spec: {},
  });
  expect(written.status, written.text).toBe(200);

  expect(await symphony('backup', '--file', file, '--database-url', from.url)).toMatchObject({
    code: 0,
    err: '',
  });
  expect(statSync(file).mode & 0o077).toBe(0);
  await engine.leave();

  const restore = ['restore', '--file', file, '--database-url', to.url];
  expect(await symphony(...restore)).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('Restored') as string,
  });
  expect(await symphony(...restore)).toMatchObject({
    code: 1,
    err: expect.stringContaining('--force') as string,
  });
  expect(await symphony(...restore, '--force')).toMatchObject({ code: 0 });

  const copy = await TestEngine.start({ databaseUrl: to.url });
  expect((await copy.request('GET', '/targets/registry/t1')).status).toBe(200);
  await copy.leave();
  await Promise.all([from.drop(), to.drop()]);
});

test('what cannot be done is one sentence', async () => {
  const database = await createTestDatabase();
  const missing = await symphony(
    'restore',
    '--file',
    join(folder, 'missing'),
    '--database-url',
    database.url,
  );
  expect(missing).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^[^\n]+missing[^\n]+\n$/) as string,
  });
  const unreachable = await symphony(
    'backup',
    '--file',
    join(folder, 'x'),
    '--database-url',
    'postgres://u:hunter2@127.0.0.1:1/x',
  );
  expect(unreachable).toMatchObject({ code: 1, err: expect.stringContaining('cannot be reached') as string });
  expect(unreachable.err).not.toContain('hunter2');
  await database.drop();
});
