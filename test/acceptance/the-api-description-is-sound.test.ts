import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestEngine } from '../support/engine.js';

interface Operation {
  summary?: string;
  responses?: Record<string, unknown>;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
}

const redocly = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@redocly/cli/package.json')),
  'bin/cli.js',
);
/** What the rules of the linter's own recommended set ask for that says nothing about a private API. */
const RULES = `extends: [recommended]
rules:
  info-license: off
  info-license-url: off
  info-license-strict: off
  operation-4xx-response: off
  no-server-example.com: off
  no-empty-servers: off
  security-defined: off
  tag-description: off
  no-ambiguous-paths: off
`;

let engine: TestEngine;
let folder: string;

beforeAll(async () => {
  engine = await TestEngine.start();
  folder = await mkdtemp(path.join(tmpdir(), 'symphony-openapi-'));
});
afterAll(async () => {
  await engine?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function description(): Promise<OpenApi> {
  const response = await fetch(`${engine.url}/openapi.json`);
  return (await response.json()) as OpenApi;
}

it('passes the linter', async () => {
  await writeFile(path.join(folder, 'openapi.json'), JSON.stringify(await description()));
  await writeFile(path.join(folder, 'redocly.yaml'), RULES);
  const run = promisify(execFile)(
    process.execPath,
    [redocly, 'lint', 'openapi.json', '--config', 'redocly.yaml', '--format', 'stylish'],
    {
      cwd: folder,
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    },
  );
  const { code, stdout } = await run.then(
    (result) => ({ code: 0, stdout: result.stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  expect(code, stdout).toBe(0);
});

it('says of each operation what it is for and what it answers', async () => {
  const { paths } = await description();
  const silent = Object.entries(paths).flatMap(([route, operations]) =>
    Object.entries(operations)
      .filter(([, operation]) => !operation.summary || Object.keys(operation.responses ?? {}).length === 0)
      .map(([method]) => `${method} ${route}`),
  );
  expect(silent).toEqual([]);
  for (const route of [
    '/v1alpha2/targets/registry/{name}',
    '/v1alpha2/solutions/{name}',
    '/v1alpha2/instances/{name}',
    '/v1alpha2/instances/{name}/plan',
    '/v1alpha2/solution/queue',
    '/v1alpha2/solution/reconcile',
    '/v1alpha2/solution/instances',
    '/v1alpha2/jobs',
    '/v1alpha2/users/auth',
    '/healthz',
    '/readyz',
  ]) {
    expect(Object.keys(paths)).toContain(route);
  }
});
