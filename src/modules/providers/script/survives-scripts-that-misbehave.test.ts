import { getEventListeners } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { redactor, type ApplyResults } from '@symphony/provider-kit';
import type { ProviderCall } from '@symphony/provider-kit';
import { startTimeOf } from '../process/proc.js';
import { ScriptFolder, runs, until } from './script-folder.fixture.js';

let folder: ScriptFolder;
const started: number[] = [];
beforeEach(async () => {
  folder = await ScriptFolder.make();
});
afterEach(async () => {
  for (const pid of started.splice(0)) if (await runs(pid)) process.kill(pid, 'SIGKILL');
  await folder.dispose();
});

function apply(
  overrides: Partial<ProviderCall> = {},
  properties: Record<string, unknown> = {},
  config: Record<string, string> = {},
): Promise<ApplyResults> {
  const component = { name: 'a', properties };
  const call = folder.call([component], overrides);
  return folder
    .provider(config)
    .apply({ ...call, steps: [{ action: 'update', component }], dryRun: false, isFirst: true });
}

/** Ids that a script wrote to the file `pids`, as soon as there are so many. */
async function pids(count: number): Promise<number[]> {
  let found: number[] = [];
  await until(async () => {
    const text = await folder.read('pids').catch(() => '');
    found = text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
    return found.length >= count;
  }, `${count} processes starting`);
  started.push(...found);
  return found;
}

describe('a script that fails', () => {
  it('is reported with its exit code and its last words', async () => {
    await folder.script(
      'apply.sh',
      'echo "{\\"a\\":{\\"status\\":8004}}" >"$out"; echo "disk full" >&2; exit 7',
    );
    await expect(apply()).rejects.toMatchObject({
      reason: 'ProviderFailed',
      message: "The script 'apply.sh' ended with exit code 7: disk full",
    });
    expect(await folder.leftFiles()).toEqual([]);
  });

  it('is reported when a signal ends it', async () => {
    await folder.script('apply.sh', 'kill -SEGV $$');
    await expect(apply()).rejects.toThrow('was ended by SIGSEGV');
  });

  it('never shows a secret, wherever the cut through its last words falls', async () => {
    const secret = 'hunter2-0123456789';
    await folder.script('apply.sh', 'i=0; while [ $i -lt 400 ]; do cat "$2"; i=$((i+1)); done >&2; exit 1');
    const error = await apply({ redact: redactor([secret]) }, { password: secret }).catch((e: unknown) => e);
    const text = (error as Error).message;
    expect(text).toContain('•••');
    expect(text).not.toMatch(/hunter|0123|6789/);
    expect(text.length).toBeLessThan(2_200);
  });

  it('never shows a secret in the message of a component', async () => {
    await folder.script('apply.sh', `echo '{"a":{"status":8001,"message":"denied for hunter2"}}' >"$out"`);
    const results = await apply({ redact: redactor(['hunter2']) });
    expect(results['a']).toEqual({ status: 8001, message: 'denied for •••' });
  });

  it('may flood its outputs without harm', async () => {
    await folder.script(
      'apply.sh',
      'head -c 20000000 /dev/zero; head -c 20000000 /dev/zero | tr "\\0" "x" >&2; echo; echo "{}" >"$out"',
    );
    expect(await apply()).toEqual({});
  });
});

describe('a script that hangs', () => {
  it('is ended with all its descendants, also those that ignore SIGTERM or left its group', async () => {
    await folder.script(
      'apply.sh',
      `trap '' TERM
       sleep 600 & echo $! >>"$root/pids"
       setsid sleep 600 & echo $! >>"$root/pids"
       (sleep 600 & echo $! >>"$root/pids"; wait) &
       echo $$ >>"$root/pids"
       wait`,
    );
    const controller = new AbortController();
    const call = apply({ signal: controller.signal });
    const ids = await pids(4);
    for (const pid of ids) expect(await runs(pid)).toBe(true);
    const from = performance.now();
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'Interrupted' });
    // Nothing of what it started is waited for: that would last ten minutes.
    expect(performance.now() - from).toBeLessThan(20_000);
    for (const pid of ids) await until(async () => !(await runs(pid)), `the end of process ${pid}`);
    expect(await folder.leftFiles()).toEqual([]);
  });

  it('can be found after a crash of the engine, by id, start time and marker', async () => {
    await folder.script('apply.sh', 'echo $$ >>"$root/pids"; sleep 600');
    const controller = new AbortController();
    const call = apply({ signal: controller.signal });
    const [pid = 0] = await pids(1);
    let trace: Record<string, unknown> = {};
    await until(async () => {
      const [name = ''] = (await readdir(`${folder.staging}/processes`)).filter((file) =>
        file.endsWith('.json'),
      );
      trace = JSON.parse(await readFile(`${folder.staging}/processes/${name}`, 'utf8')) as typeof trace;
      return trace['pid'] !== undefined;
    }, 'the trace of the process');
    expect(trace['pid']).toBe(pid);
    expect(trace['startTime']).toBe(await startTimeOf(pid));
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain(`SYMPHONY_RUN=${String(trace['marker'])}`);
    controller.abort();
    await expect(call).rejects.toThrow();
  });

  it('gets the chance to clean up', async () => {
    await folder.script(
      'apply.sh',
      `trap 'echo cleaned >"$root/cleaned"; exit 0' TERM
       echo $$ >>"$root/pids"
       sleep 600 & wait`,
    );
    const controller = new AbortController();
    const call = apply({ signal: controller.signal });
    await pids(1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'Interrupted' });
    expect(await folder.read('cleaned')).toBe('cleaned\n');
  });

  it('says that it was the time when the deadline ended it', async () => {
    await folder.script('apply.sh', 'sleep 600');
    await expect(apply({ signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      reason: 'ProviderTimeout',
      stateCode: 11004,
    });
  });
});

it('does not wait for a daemon that a script leaves behind with its pipes open, and lets it live', async () => {
  await folder.script('apply.sh', 'sleep 600 & echo $! >"$root/pids"; echo "{}" >"$out"');
  const from = performance.now();
  expect(await apply()).toEqual({});
  expect(performance.now() - from).toBeLessThan(50_000);
  const [daemon = 0] = await pids(1);
  expect(await runs(daemon)).toBe(true);
});

it('gives scripts no standard input, and nothing of the environment of the engine', async () => {
  process.env['SECRET_OF_THE_ENGINE'] = 'hunter2';
  try {
    await folder.script('apply.sh', 'cat >"$root/input"; env >"$root/env"; echo "{}" >"$out"');
    await apply();
  } finally {
    delete process.env['SECRET_OF_THE_ENGINE'];
  }
  expect(await folder.read('input')).toBe('');
  const environment = (await folder.read('env')).split('\n').filter((line) => line !== '');
  const names = environment.map((line) => line.slice(0, line.indexOf('=')));
  // PWD, OLDPWD, SHLVL and _ are the shell's own.
  const own = new Set(['PATH', 'HOME', 'LANG', 'TMPDIR', 'PWD', 'OLDPWD', 'SHLVL', '_']);
  expect(names.filter((name) => !own.has(name) && !name.startsWith('SYMPHONY_'))).toEqual([]);
  expect(environment).toContain('SYMPHONY_OPERATION=apply');
  expect(environment).toContain('SYMPHONY_SCOPE=default');
  expect(environment.some((line) => /^SYMPHONY_RUN=[0-9a-f-]{36}$/.test(line))).toBe(true);
});

it('runs scripts in their folder, many at the same time, without mixing them up', async () => {
  await folder.script(
    'apply.sh',
    'pwd >"$root/pwd"; echo "{\\"a\\":{\\"status\\":8004,\\"message\\":\\"$SYMPHONY_SCOPE\\"}}" >"$out"',
  );
  const scopes = Array.from({ length: 8 }, (_, index) => `scope-${index}`);
  const results = await Promise.all(scopes.map((scope) => apply({ scope })));
  expect(results.map((result) => result['a']?.message)).toEqual(scopes);
  expect(await folder.read('pwd')).toBe(`${folder.scripts}\n`);
  expect(await folder.leftFiles()).toEqual([]);
});

it('leaves no process and no listener behind', async () => {
  const signal = new AbortController().signal;
  await folder.script('apply.sh', 'echo "{}" >"$out"');
  for (let round = 0; round < 12; round += 1) await apply({ signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').catch(
    () => '',
  );
  for (const pid of children.split(' ').filter((text) => text !== '')) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    expect(command).not.toContain(folder.root);
  }
  expect(await readdir(folder.staging)).toEqual(['processes']);
});
